"""Histogram-equalised FLAIR, the baseline without learning (Meissen et al. 2021; Frotscher et al. 2023)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from datasets.volume import Volume
from methods.base import AnomalyDetector, DetectorConfig, Field, ScoreContext, register
from methods.hyper_parameters import later_scoring_field

__all__ = ["Thresholding", "ThresholdingConfig", "equalise"]


class ThresholdingConfig(DetectorConfig):
    """Hyper-parameters of the thresholding baseline."""

    bins: int = Field(256, ge=2, le=65_536, description="of the histogram")
    published_order: bool = later_scoring_field(
        False,
        description="equalise on the scan's own grid, among all voxels > 0, and resize the equalised image, as published; "
        "otherwise the resized image is equalised inside the brain mask",
    )


@register("thresholding")
class Thresholding(AnomalyDetector):
    """FLAIR, divided by the volume's maximum and histogram-equalised inside the brain; 0 outside.

    The map is the equalised intensity, in [0, 1]: about the rank of a voxel's FLAIR value among those of its
    brain. Bright lesions score high, dark ones low.
    """

    Config = ThresholdingConfig
    recipe = 1
    draws = ()
    requires = ("flair",)
    reduces = False
    config: Any

    def score(self, volume: Volume, context: ScoreContext) -> NDArray[np.float32]:
        """Return the equalised image, float32 (X, Y, Z), of the one modality in ``requires``."""
        if self.config.published_order:
            return self._resized_last(volume)
        out = np.zeros(volume.shape, dtype=np.float32)
        if not volume.brain.any():
            return out
        image = volume.image[volume.modalities.index(self.requires[0])]
        largest = float(image.max())
        if largest > 0:
            image = image / largest
        out[volume.brain] = equalise(image[volume.brain], self.config.bins)
        return out

    def _resized_last(self, volume: Volume) -> NDArray[np.float32]:
        if volume.before_resizing is None:
            raise UserError(
                f"method '{self.name}', subject {volume.subject}: detector.published_order = true, and no scan behind the "
                "volume: one of a data set wanted"
            )

        def change(values: NDArray[Any]) -> NDArray[np.float32]:
            values = values.astype(np.float32)
            return equalise(values / values.max(), self.config.bins)

        return volume.before_resizing(self.requires[0], change)


def equalise(values: NDArray[np.floating], bins: int = 256) -> NDArray[np.float32]:
    """Equalise the histogram of intensities.

    Each value becomes the share of values in its bin and below, interpolated linearly between the bins' centres;
    the bins span the range of the values.

    Parameters
    ----------
    values : float (N,)
        Intensities, N >= 1.
    bins : int
        Number of bins.

    Returns
    -------
    float32 (N,)
        In [0, 1].
    """
    counts, edges = np.histogram(values, bins)
    share = np.cumsum(counts) / values.size
    return np.interp(values, (edges[:-1] + edges[1:]) / 2, share).astype(np.float32)
