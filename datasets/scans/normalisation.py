"""Normalisation: what a modality's intensities become, so that one patient's tissue looks like another's.

Every normalisation is a rising curve over a modality's foreground, made of straight pieces; the background stays 0. What a
network expects beyond that ([-1, 1], say) is a transform of the method. Statistics are taken over the foreground on the
scan's own grid, never with the lesion mask at hand; ``p99-off-lesion``, for training scans, is the one exception.

- ``p99``, ``p99-off-lesion``: division by a quantile (Frotscher et al., arXiv 2312.01904), in
  :mod:`datasets.scans.preprocess`. One straight line through 0; a bright tumour moves the quantile, a patient's overall
  contrast stays.
- ``robust``: 0.5 + 0.2 (x - median) / (inter-quartile range), by default. Neither tail of the histogram counts.
- ``landmarks``: eleven percentiles come to lie where they do, on average, in the training split (Nyul, Udupa and Zhang,
  IEEE TMI 2000, doi 10.1109/42.836373).
- ``white-matter``: division by the peak of the white matter (as Shinohara et al., NeuroImage: Clinical 2014, doi
  10.1016/j.nicl.2014.08.008, find it): the brightest clear peak of the histogram in T1 and T1ce, the highest one else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from andi_bench.preprocessing import LANDMARKS

STANDARD = (0.1, 1.0)
"""Where the first and the last landmark come to lie; brighter and darker voxels go on along the outer pieces."""
QUARTILES = (25, 50, 75)
_BINS = 256
_SMOOTHING = 4.0
"""Standard deviation of the histogram's smoothing, bins."""
_CLEAR = 0.3
"""A peak is clear where it is at least this share of the highest one, and stands out by half of that."""
_BRIGHT_WHITE_MATTER = ("t1", "t1ce")


@dataclass(frozen=True)
class Curve:
    """A rising curve of straight pieces; the outer ones go on beyond their ends.

    Parameters
    ----------
    at : float64 (K,)
        Intensities, rising, two or more.
    become : float64 (K,)
        What they become, not falling.
    """

    at: NDArray[np.float64]
    become: NDArray[np.float64]

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return what intensities become, float32 of the same shape."""
        x, at, become = values.astype(np.float64), self.at, self.become
        slopes = np.diff(become) / np.diff(at)
        if len(at) == 2:
            out = become[0] + slopes[0] * (x - at[0])
        else:
            out = np.interp(x, at, become)
            out += np.minimum(x - at[0], 0) * slopes[0] + np.maximum(x - at[-1], 0) * slopes[-1]
        return out.astype(np.float32)


def normalised(
    image: NDArray[Any], modality: str, config: PreprocessingConfig, subject: str
) -> NDArray[np.float32]:
    """Normalise one modality by any normalisation but the published division.

    Parameters
    ----------
    image : (X, Y, Z) array
        Relative to its background: foreground is above 0.
    modality : str
        Its name, one of ``config.modalities``.
    config : PreprocessingConfig
        ``normalisation`` and its parameters.
    subject : str
        For messages.

    Returns
    -------
    float32 (X, Y, Z)
        In Fortran order; 0 in the background, from ``config.floor`` to ``config.ceiling`` in the foreground.

    Raises
    ------
    UserError
        When the foreground has no contrast, or ``landmarks`` are not known yet.
    """
    # Fortran order is a file's own, in which picking by mask is many times faster
    values = np.asfortranarray(image)
    flat = values.ravel("F")
    inside = flat > 0
    foreground = flat[inside]
    curve = curve_of(foreground, modality, config, subject)
    out = np.zeros(flat.shape, dtype=np.float32)
    out[inside] = np.clip(curve(foreground), config.floor, config.ceiling)
    return out.reshape(values.shape, order="F")


def curve_of(
    foreground: NDArray[Any], modality: str, config: PreprocessingConfig, subject: str
) -> Curve:
    """Return the curve of a modality from its foreground (N,), all above 0; errors as :func:`normalised`."""
    if foreground.size == 0:
        raise UserError(f"subject {subject}: {modality} has no voxel above its background")
    if config.normalisation == "robust":
        low, middle, high = _rising(foreground, QUARTILES, modality, subject)
        return Curve(
            np.array([middle, middle + high - low]),
            np.array([config.centre, config.centre + config.spread]),
        )
    if config.normalisation == "white-matter":
        peak = white_matter_peak(foreground, modality)
        return Curve(np.array([0.0, peak]), np.array([0.0, config.centre]))
    if config.landmarks is None:
        raise UserError(
            "preprocessing.landmarks: learnt from a training split, which there is none of: eleven numbers a modality wanted"
        )
    at = _rising(foreground, LANDMARKS, modality, subject)
    return Curve(at, np.array(config.landmarks[config.modalities.index(modality)]))


def percentiles_of(foreground: NDArray[Any], modality: str, subject: str) -> NDArray[np.float64]:
    """Return the landmarks of one modality before they are moved: percentiles of its foreground, float64 (11,)."""
    return _rising(foreground, LANDMARKS, modality, subject)


def standard_landmarks(subjects: Iterable[NDArray[np.float64]]) -> tuple[float, ...]:
    """Learn where a modality's landmarks come to lie: Nyul's training.

    Parameters
    ----------
    subjects : iterable of float64 (11,)
        Of each training subject :func:`percentiles_of`, one or more.

    Returns
    -------
    tuple of float
        The mean of the subjects' landmarks, each subject's first and last brought to :data:`STANDARD` before.
    """
    low, high = STANDARD
    moved = [low + (high - low) * (own - own[0]) / (own[-1] - own[0]) for own in subjects]
    return tuple(float(value) for value in np.mean(moved, axis=0))


def white_matter_peak(foreground: NDArray[Any], modality: str) -> float:
    """Return the intensity at which the white matter's histogram is highest.

    Parameters
    ----------
    foreground : (N,) array
        Above 0.
    modality : str
        In T1 and T1ce white matter is the brightest tissue; in T2 and FLAIR it makes the highest peak.
    """
    from scipy.ndimage import gaussian_filter1d  # seconds of start-up that few runs need
    from scipy.signal import find_peaks

    high = float(np.quantile(foreground, 0.995))
    counts, edges = np.histogram(foreground, bins=_BINS, range=(0.0, high))
    smooth = gaussian_filter1d(counts.astype(np.float64), _SMOOTHING, mode="constant")
    level = _CLEAR * smooth.max()
    # zeros around: a peak at either end is one too
    peaks, _ = find_peaks(np.pad(smooth, 1), height=level, prominence=level / 2)
    chosen = int(smooth.argmax())
    if modality in _BRIGHT_WHITE_MATTER and len(peaks):
        chosen = int(peaks[-1]) - 1
    return float((edges[chosen] + edges[chosen + 1]) / 2)


def _rising(
    foreground: NDArray[Any], percentiles: Sequence[int], modality: str, subject: str
) -> NDArray[np.float64]:
    """Return percentiles, each a little above the last: few gray levels may hold several."""
    found = np.percentile(foreground, percentiles).astype(np.float64)
    if found[-1] <= found[0]:
        raise UserError(
            f"subject {subject}: {modality}: its percentiles {percentiles[0]} and {percentiles[-1]} are both "
            f"{found[0]:g}: contrast wanted"
        )
    least = (found[-1] - found[0]) * 1e-6
    for place in range(1, len(found)):
        found[place] = max(found[place], found[place - 1] + least)
    return found
