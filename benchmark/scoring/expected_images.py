"""What a method expects a scan to look like, for the few slices that figures and previews show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from benchmark.scoring.engine import ScoreEngine
from benchmark.scoring.scan_views import gray_levels, plane_box
from datasets.adapters.base import DatasetAdapter, Subject
from datasets.scans.crop import PlaneBox, cropped, image_on_grid
from datasets.volume import Volume
from methods.base import AnomalyDetector


@dataclass(frozen=True)
class ExpectedImage:
    """What a method compared one modality of a scan with, as it is shown.

    Parameters
    ----------
    modality : str
        The modality.
    levels : uint8 (X', Y', Z)
        Gray levels in the box and the window of the scan's :class:`benchmark.scoring.scan_views.ScanView`; 0 in slices that were
        not asked for.
    """

    modality: str
    levels: NDArray[np.uint8]


def expected_image(
    detector: AnomalyDetector,
    volume: Volume,
    slices: Iterable[int],
    engine: ScoreEngine,
    crop: PlaneBox | None = None,
) -> ExpectedImage | None:
    """Ask a detector for what it compared some slices of a volume with.

    Shown is the modality that scores are reduced to, the first one where none is named.

    Parameters
    ----------
    detector : AnomalyDetector
        As it scored.
    volume : Volume
        A scored volume.
    slices : iterable of int
        Those without brain are left black.
    engine : ScoreEngine
        As the volume was scored with, so that random streams are the same.
    crop : box or None
        Part of the plane that the detector scored.

    Returns
    -------
    ExpectedImage or None
        None where the detector has none, or no slice holds brain.

    Raises
    ------
    UserError
        When the detector fails, or the image has another shape than was asked for or non-finite values.
    """
    lent = cropped(volume, crop)
    filled = np.flatnonzero(lent.brain.any(axis=(0, 1)))
    wanted = np.intersect1d(filled, np.fromiter(slices, dtype=np.int64))
    if not len(wanted):
        return None
    whose = f"method '{detector.name}', subject {volume.subject}"
    try:
        image = engine.fitted(detector, whose, lambda: detector.expected(lent, wanted, engine))
    except Exception as error:  # a detector of anyone's: scored well, it still is measured
        reason = (str(error).splitlines() or [""])[0]
        raise UserError(f"{whose}: no expected image: {type(error).__name__}: {reason}") from error
    if image is None:
        return None
    _check(image, (*lent.image.shape[:3], len(wanted)), whose)
    image = image_on_grid(image, volume, crop)
    how = engine.config.reduction
    channel = volume.modalities.index(how) if how in volume.modalities else 0
    box, scan = plane_box(volume.brain), volume.image[channel]
    levels = np.zeros(scan[box].shape, dtype=np.uint8)
    levels[..., wanted] = gray_levels(image[channel][box], scan, volume.brain)
    return ExpectedImage(volume.modalities[channel], levels)


def _check(image: NDArray[np.float32], shape: tuple[int, ...], whose: str) -> None:
    if image.shape != shape:
        raise UserError(f"{whose}: expected image of shape {image.shape}, {shape} wanted")
    bad = int(np.count_nonzero(~np.isfinite(image)))
    if bad:
        raise UserError(
            f"{whose}: {bad} non-finite values in the expected image, finite ones wanted"
        )


@dataclass(frozen=True)
class Expecter:
    """Gives expected images of scored subjects; opens a subject's scan for it.

    Parameters
    ----------
    detector : AnomalyDetector
        As it scored.
    adapter : DatasetAdapter
        Reads the scans.
    preprocessing : PreprocessingConfig
        Working grid, modalities, normalisation.
    engine : ScoreEngine
        As the subjects were scored with.
    subjects : mapping of str to Subject
        By name.
    """

    detector: AnomalyDetector
    adapter: DatasetAdapter
    preprocessing: PreprocessingConfig
    engine: ScoreEngine
    subjects: Mapping[str, Subject]

    def image(self, subject: str, slices: Iterable[int]) -> ExpectedImage | None:
        """Return the expected image of a subject, as :func:`expected_image`.

        Raises
        ------
        UserError
            As :func:`expected_image`, and when the scan cannot be read.
        """
        volume = self.adapter.read(self.subjects[subject], self.preprocessing)
        box = self.preprocessing.crop_box
        return expected_image(self.detector, volume, slices, self.engine, box)
