"""Healthy slices from which synthetic anomalies take what is foreign to a slice."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from andi_bench.randomness import SliceGenerator, derive_seed
from methods.corruptions.coarse_noise import foreground
from methods.corruptions.window import window_centres

__all__ = ["TextureBank", "texture_bank"]

_VALUES = 50_000
"""Intensities of a modality from which the centres of its clusters are found."""


class _Batch(Protocol):
    """What is asked of training slices; :class:`methods.base.SliceBatch` has it."""

    @property
    def images(self) -> torch.Tensor: ...

    @property
    def subjects(self) -> tuple[str, ...]: ...

    @property
    def z(self) -> NDArray[np.int64]: ...


@dataclass(frozen=True)
class TextureBank:
    """Some training slices and what all of them hold; never part of what is learnt and saved.

    Parameters
    ----------
    slices : float32 tensor (K, C, H, W)
        Chosen by hash, so that they do not depend on the order or the number of processes.
    ceiling : float32 tensor (C,)
        The highest intensity of each modality in the training slices.
    centres : float32 tensor (C, clusters)
        Cluster centres of the intensities above 0 (k-means), ascending.
    """

    slices: torch.Tensor
    ceiling: torch.Tensor
    centres: torch.Tensor

    def to(self, device: torch.device) -> TextureBank:
        """Return the same bank on a device."""
        return TextureBank(self.slices.to(device), self.ceiling.to(device), self.centres.to(device))

    def patches(
        self, generator: SliceGenerator, centres: torch.Tensor, edge: int, size: tuple[int, int]
    ) -> torch.Tensor:
        """Draw for each slice a patch of another, moved to its window: float32 (N, C, H, W).

        The slice is any of the bank, and its window's centre any pixel of its brain (:func:`methods.corruptions.window.window_centres`).
        What lies beyond the other slice's edge is 0.

        Parameters
        ----------
        generator : SliceGenerator
            One stream per slice.
        centres : int64 tensor (N, 2)
            Where the middle of the patch shall lie.
        edge : int
            Of the window, pixels.
        size : (H, W)
            Of the slices that get the patches.
        """
        count, _, height, width = self.slices.shape
        which = (
            (generator.fork("foreign slice").uniform(1)[:, 0] * count).long().clamp_max(count - 1)
        )
        others = self.slices[which]
        there = window_centres(generator.fork("foreign window"), foreground(others), edge)
        rows, rows_inside = _moved(size[0], there[:, 0] - centres[:, 0], height)
        columns, columns_inside = _moved(size[1], there[:, 1] - centres[:, 1], width)
        first = torch.arange(len(others), device=others.device)[:, None, None]
        values = others[first, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        return values * (rows_inside[:, None, :, None] & columns_inside[:, None, None, :])


def _moved(size: int, by: torch.Tensor, there: int) -> tuple[torch.Tensor, torch.Tensor]:
    index = torch.arange(size, device=by.device) + by[:, None]
    return index.clamp(0, there - 1), (index >= 0) & (index < there)


def texture_bank(
    slices: Iterable[_Batch], seed: int, *, size: int = 256, clusters: int = 5
) -> TextureBank:
    """Choose the slices of a bank in one pass, and find the clusters of their intensities.

    Parameters
    ----------
    slices : iterable of methods.base.SliceBatch
        The training slices.
    seed : int
        Of the training.
    size : int
        Most slices to keep.
    clusters : int
        Centres a modality.

    Raises
    ------
    ValueError
        Without slices.
    """
    kept: list[tuple[int, int, torch.Tensor]] = []
    ceiling: torch.Tensor | None = None
    number = 0
    for batch in slices:
        highest = batch.images.amax(dim=(0, 2, 3))
        ceiling = highest if ceiling is None else torch.maximum(ceiling, highest)
        for subject, z, image in zip(batch.subjects, batch.z, batch.images, strict=True):
            rank = -derive_seed(seed, "texture bank", subject, int(z))
            number += 1
            # The number settles ties, so that tensors are never compared.
            if len(kept) < size:
                heapq.heappush(kept, (rank, number, image.clone()))
            elif rank > kept[0][0]:
                heapq.heapreplace(kept, (rank, number, image.clone()))
    if ceiling is None:
        raise ValueError("a texture bank needs training slices: none given")
    chosen = torch.stack([image for _, _, image in sorted(kept, key=lambda entry: entry[0])])
    centres = torch.stack([_centres(chosen[:, c], clusters, seed) for c in range(chosen.shape[1])])
    return TextureBank(chosen, ceiling.clone(), centres)


def _centres(images: torch.Tensor, clusters: int, seed: int) -> torch.Tensor:
    """Return the cluster centres of the intensities above 0, float32 (clusters,), ascending."""
    values = images[images > 0].double()
    values = values[:: max(1, len(values) // _VALUES)]
    distinct = values.unique()
    if len(distinct) <= clusters:
        padded = distinct if len(distinct) else torch.zeros(1, dtype=torch.float64)
        return torch.cat([padded, padded[-1:].expand(clusters - len(padded))]).float()
    found = KMeans(clusters, n_init=2, random_state=derive_seed(seed, "clusters") % 2**32)
    found.fit(values[:, None].numpy())
    return torch.from_numpy(found.cluster_centers_[:, 0]).sort().values.float()
