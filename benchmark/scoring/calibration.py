"""What a method settles on validation data before it scores: done once, kept beside its maps."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from andi_bench.config import PreprocessingConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from andi_bench.names import counted
from benchmark.scoring.engine import ScoreEngine
from benchmark.scoring.subjects import read_ahead
from datasets.adapters.base import DatasetAdapter, Subject
from datasets.scans.crop import cropped
from datasets.volume import Volume
from methods.base import AnomalyDetector

NAME = "calibration.json"


def calibrate(
    detector: AnomalyDetector,
    adapter: DatasetAdapter,
    subjects: Sequence[Subject],
    preprocessing: PreprocessingConfig,
    engine: ScoreEngine,
    folder: Path,
    console: Console,
) -> None:
    """Calibrate a detector on validation subjects, unless the folder of its maps has the figures already.

    Raises
    ------
    UserError
        When there is no labelled validation subject, the detector returns what is not finite, or the file is damaged.
    """
    path = folder / NAME
    if path.is_file():
        return
    if not subjects:
        raise UserError(
            f"method '{detector.name}' is calibrated on validation data: "
            "0 labelled validation subjects found, 1 or more wanted"
        )
    console.note(f"calibrating {detector.name} on {counted(len(subjects), 'validation subject')}")
    with console.progress(f"calibrating ({detector.name})", len(subjects)) as advance:

        def volumes() -> Iterator[Volume]:
            for volume in read_ahead(adapter, subjects, preprocessing):
                yield cropped(volume, preprocessing.crop_box)
                advance(1, volume.subject)

        figures = engine.fitted(
            detector,
            f"method '{detector.name}'",
            lambda: detector.calibrate(volumes(), engine),
        )
        found = {key: float(value) for key, value in figures.items()}
    bad = sorted(key for key, value in found.items() if not math.isfinite(value))
    if bad:
        raise UserError(
            f"method '{detector.name}': calibration gives {bad[0]} = {found[bad[0]]}, "
            "a finite number wanted"
        )
    write_atomically(path, (json.dumps(found, indent=1) + "\n").encode())


def load_calibration(detector: AnomalyDetector, folder: Path) -> None:
    """Give a detector the figures that :func:`calibrate` kept.

    Raises
    ------
    UserError
        When the file is missing or damaged.
    """
    path = folder / NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        detector.calibration = {str(key): float(value) for key, value in found.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{path}: damaged; delete it to calibrate again") from error
