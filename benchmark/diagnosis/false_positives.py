"""Where maps light up without a lesion: volumes by region, by height, and what the images look like there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy import ndimage

from benchmark.diagnosis.kept_run import KeptSubject
from benchmark.diagnosis.regions import HEIGHTS, REGIONS, heights_of

SHADING_MM = 20.0
"""Standard deviation of the low-pass that stands for shading, mm."""


class Volumes(BaseModel):
    """Volumes of one part of the brain, in one subject or over several.

    Parameters
    ----------
    false_positive_ml : float
        Detected, and no lesion.
    healthy_ml : float
        The brain off the lesion.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    false_positive_ml: float
    healthy_ml: float

    @property
    def lit(self) -> float | None:
        """Share of the healthy part that is detected; None without any."""
        return self.false_positive_ml / self.healthy_ml if self.healthy_ml else None


class SubjectFaults(BaseModel):
    """The false positives of one subject and chain.

    Parameters
    ----------
    subject, chain : str
        Whose, and of which maps.
    regions : dict of str to Volumes
        By region.
    heights : tuple of Volumes
        By height, the lowest first.
    looks : dict of str to float or None
        By modality: mean gray level in the false positives less that of the healthy brain, in standard deviations of the
        latter; None without false positives.
    shading : float or None
        Share of the variance of the scores in the healthy brain that a linear combination of the low-passed modalities
        explains, 0 .. 1; None where the scores are constant.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str
    chain: str
    regions: dict[str, Volumes]
    heights: tuple[Volumes, ...]
    looks: dict[str, float | None]
    shading: float | None

    @property
    def total(self) -> Volumes:
        """Over the whole brain."""
        return total(list(self.regions.values()))


def total(parts: Sequence[Volumes]) -> Volumes:
    """Return volumes of several parts together."""
    return Volumes(
        false_positive_ml=sum(part.false_positive_ml for part in parts),
        healthy_ml=sum(part.healthy_ml for part in parts),
    )


def faults_of(kept: KeptSubject, regions: NDArray[np.uint8]) -> list[SubjectFaults]:
    """Return the false positives of a subject, by chain.

    Parameters
    ----------
    kept : KeptSubject
        Maps, masks and view.
    regions : uint8 (X, Y, Z)
        Of :func:`benchmark.diagnosis.regions.regions_of`.
    """
    healthy = kept.brain & ~kept.lesion
    heights = heights_of(kept.scored.brain)
    levels = _levels(kept)
    smooth = [_low_passed(level, kept.scored.brain, kept.scored.spacing) for level in levels]
    out = []
    for chain, found in kept.detected.items():
        wrong = found.mask & healthy

        def by(
            part: NDArray[np.uint8], count: int, wrong: NDArray[np.bool_] = wrong
        ) -> list[Volumes]:
            false = np.bincount(part[wrong], minlength=count) * kept.voxel_ml
            all_ = np.bincount(part[healthy], minlength=count) * kept.voxel_ml
            return [
                Volumes(false_positive_ml=float(f), healthy_ml=float(h))
                for f, h in zip(false, all_, strict=True)
            ]

        out.append(
            SubjectFaults(
                subject=kept.scored.subject,
                chain=chain,
                regions=dict(zip(REGIONS, by(regions, len(REGIONS)), strict=True)),
                heights=tuple(by(heights, HEIGHTS)),
                looks={
                    name: _look(level, wrong, healthy)
                    for name, level in zip(kept.view.modalities, levels, strict=True)
                },
                shading=explained(found.scores[healthy], [part[healthy] for part in smooth]),
            )
        )
    return out


def _levels(kept: KeptSubject) -> list[NDArray[np.float32]]:
    """Return the gray levels of each modality on the whole grid."""
    out = []
    for image in kept.view.images:
        whole = np.zeros(kept.scored.brain.shape, dtype=np.float32)
        whole[kept.view.box] = image
        out.append(whole)
    return out


def _look(
    level: NDArray[np.float32], wrong: NDArray[np.bool_], healthy: NDArray[np.bool_]
) -> float | None:
    if not wrong.any():
        return None
    values = level[healthy].astype(np.float64)
    spread = float(values.std())
    return float(level[wrong].mean(dtype=np.float64) - values.mean()) / spread if spread else None


def _low_passed(
    level: NDArray[np.float32], brain: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Return a Gaussian mean over the brain around each voxel."""
    sigma = [SHADING_MM / edge for edge in spacing]
    inside = brain.astype(np.float32)
    weight = ndimage.gaussian_filter(inside, sigma, truncate=2.5)
    mean = ndimage.gaussian_filter(level * inside, sigma, truncate=2.5)
    out: NDArray[np.float32] = mean / np.maximum(weight, np.float32(1e-6))
    return out


def explained(values: NDArray[np.float32], by: Sequence[NDArray[np.float32]]) -> float | None:
    """Return the share of the variance of some values that a linear combination of others explains.

    Parameters
    ----------
    values : float32 (N,)
        What is to be explained.
    by : sequence of float32 (N,)
        What by, beside a constant.

    Returns
    -------
    float or None
        The coefficient of determination, 0 .. 1; None where the values are constant or there are none.
    """
    spread = float(values.var(dtype=np.float64)) if values.size else 0.0
    if spread == 0:
        return None
    columns = np.stack([part - part.mean(dtype=np.float64) for part in by], axis=1).astype(
        np.float64
    )
    centred = values.astype(np.float64) - values.mean(dtype=np.float64)
    weights, *_ = np.linalg.lstsq(columns.T @ columns, columns.T @ centred, rcond=None)
    rest = float(np.mean((centred - columns @ weights) ** 2))
    return min(1.0, max(0.0, 1.0 - rest / spread))
