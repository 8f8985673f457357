"""What a method settles on validation data: once, finite, and found again."""

import numpy as np
import pytest
from support.small_volumes import CPU, Whole, detector_of

from andi_bench.config import PreprocessingConfig, ScoringConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from benchmark.scoring.calibration import NAME, calibrate, load_calibration
from benchmark.scoring.engine import ScoreEngine

CONFIG = PreprocessingConfig(size=16)


class Settled(Whole):
    """Settles on the mean intensity of the lesions that it is shown."""

    name = "settled"
    seen: list[str]

    @property
    def needs_calibration(self):
        return True

    def calibrate(self, volumes, context):
        self.seen = []
        means = []
        for volume in volumes:
            self.seen.append(volume.subject)
            means.append(volume.image[0][volume.lesion].mean())
        return {"level": float(np.mean(means)) * self.function(None)}


def settle(adapter, folder, factor=1.0, subjects=None):
    detector = detector_of(Settled, modalities=CONFIG.modalities).of(lambda _: factor)
    chosen = adapter.subjects_in("val") if subjects is None else subjects
    engine = ScoreEngine(0, CPU, ScoringConfig())
    calibrate(detector, adapter, chosen, CONFIG, engine, folder, Console(quiet=True))
    return detector


def test_figures_are_kept_and_given_back(adapter, tmp_path):
    detector = settle(adapter, tmp_path)
    assert detector.seen == ["B"]
    load_calibration(detector, tmp_path)
    assert detector.calibration["level"] > 0.5


def test_what_is_settled_is_not_settled_again(adapter, tmp_path):
    settle(adapter, tmp_path)
    kept = (tmp_path / NAME).read_bytes()
    assert not hasattr(settle(adapter, tmp_path, factor=2.0), "seen")
    assert (tmp_path / NAME).read_bytes() == kept


def test_without_labelled_subjects_nothing_can_be_settled(adapter, tmp_path):
    with pytest.raises(UserError, match="0 labelled validation subjects found, 1 or more wanted"):
        settle(adapter, tmp_path, subjects=[])


def test_a_figure_that_is_not_finite_is_named_and_not_kept(adapter, tmp_path):
    with pytest.raises(UserError, match="'settled': calibration gives level = nan"):
        settle(adapter, tmp_path, factor=float("nan"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "[1]", '{"level": "high"}', None])
def test_a_damaged_file_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / NAME).write_text(content)
    with pytest.raises(UserError, match=r"calibration.json: damaged; delete it to calibrate again"):
        load_calibration(detector_of(), tmp_path)
