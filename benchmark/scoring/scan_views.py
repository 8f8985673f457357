"""What figures and previews show of a scan, kept when the scan is scored: nothing later opens a scan again.

Views depend on the scan and its preprocessing alone, so all methods and seeds share them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.files import partial_file
from andi_bench.records.previews import reduced_scan
from benchmark.scoring.kept_arrays import kept_arrays, said
from datasets.volume import Volume

MARGIN = 3
"""Voxels kept around the brain in the axial plane."""
_LEVELS = 256


@dataclass(frozen=True)
class ScanView:
    """One scan as figures and previews show it.

    Parameters
    ----------
    images : uint8 (C, X', Y', Z)
        Gray levels of each modality, 0 to 255, from intensity 0 to the brain's 99.5 % quantile.
    box : (slice, slice)
        Where the images lie in the axial plane of the working grid: the brain, and :data:`MARGIN` voxels around it.
    modalities : tuple of str
        Names of the images.
    reduced : uint8 (x, y, z)
        First modality as a preview shows it (:func:`andi_bench.records.previews.reduced_scan`).
    """

    images: NDArray[np.uint8]
    box: tuple[slice, slice]
    modalities: tuple[str, ...]
    reduced: NDArray[np.uint8]


def view_of(volume: Volume) -> ScanView:
    """Reduce a volume to what is shown of it."""
    box = plane_box(volume.brain)
    images = [gray_levels(channel[box], channel, volume.brain) for channel in volume.image]
    reduced = reduced_scan(volume.image[0], volume.brain)
    return ScanView(np.stack(images), box, tuple(volume.modalities), reduced)


def gray_levels(
    image: NDArray[np.float32], scan: NDArray[np.float32], brain: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return the gray levels of an image, of any shape, in the window in which a scan is shown.

    Parameters
    ----------
    image : float32
        On the scale of the scan.
    scan : float32 (X, Y, Z)
        One modality; its 99.5 % quantile in the brain is white.
    brain : bool (X, Y, Z)
        Brain mask.
    """
    return _levels(image, _highest(scan, brain))


def plane_box(brain: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the brain's box in the axial plane, with a margin; the whole plane without brain."""
    out = []
    for axis in (0, 1):
        hit = np.flatnonzero(brain.any(axis=(1 - axis, 2)))
        size = brain.shape[axis]
        low, high = (hit[0], hit[-1] + 1) if len(hit) else (0, size)
        out.append(slice(max(0, int(low) - MARGIN), min(size, int(high) + MARGIN)))
    return out[0], out[1]


def _highest(channel: NDArray[np.float32], brain: NDArray[np.bool_]) -> float:
    inside = channel[brain]
    high = float(np.quantile(inside, 0.995)) if inside.size else 1.0
    return high if high > 0 else 1.0


def _levels(channel: NDArray[np.float32], high: float) -> NDArray[np.uint8]:
    """Return the gray levels that a map of 256 colours gives to intensities from 0 to ``high``."""
    share = channel / np.float32(high) * np.float32(_LEVELS)
    return np.clip(share, 0, _LEVELS - 1).astype(np.uint8)


@dataclass(frozen=True)
class ViewStore:
    """A folder of views, one file a subject.

    Parameters
    ----------
    folder : Path
        Made when the first view is saved.
    stamps : dict
        For each subject a text that changes when its files do.
    """

    folder: Path
    stamps: dict[str, str] = field(default_factory=dict)

    def path(self, subject: str) -> Path:
        """Return the file of a subject."""
        return self.folder / f"{subject}.{self.stamps.get(subject, '')}.npz"

    def missing(self, subjects: Sequence[str]) -> list[str]:
        """Return the subjects that have no view yet."""
        return [subject for subject in subjects if not self.path(subject).is_file()]

    def keep(self, volume: Volume) -> None:
        """Save the view of a volume, unless it is there.

        Raises
        ------
        UserError
            When the file cannot be written.
        """
        path = self.path(volume.subject)
        if path.is_file():
            return
        view = view_of(volume)
        plane = [[part.start, part.stop] for part in view.box]
        meta = {"box": plane, "modalities": view.modalities}
        with partial_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                images=view.images,
                reduced=view.reduced,
                meta=said(meta),
            )

    def load(self, subject: str) -> ScanView:
        """Read the view of a subject.

        Raises
        ------
        UserError
            When the file is missing or damaged.
        """
        path = self.path(subject)
        with kept_arrays(path, "view", "make it again") as (arrays, meta):
            images, reduced = arrays["images"], arrays["reduced"]
            x, y = (slice(*part) for part in meta["box"])
            return ScanView(images, (x, y), tuple(meta["modalities"]), reduced)
