"""Subjects without a lesion: in no mean with the others, and never a reason to find nothing."""

import numpy as np
import pandas as pd
import pytest

from andi_bench.config import EvaluationConfig
from benchmark.evaluation.aggregates import subject_figures
from benchmark.evaluation.protocol import evaluate
from benchmark.scoring.map_store import ScoredSubject

CONFIG = EvaluationConfig(bootstraps=50, median=1)
SHAPE = (12, 12, 10)


def drawn(name: str) -> ScoredSubject:
    """Ball of a lesion where the name ends in an even number, none in the others; `silent` finds nothing in the tests."""
    rng = np.random.default_rng(sum(name.encode()))
    lesion = np.zeros(SHAPE, bool)
    if int(name[-1]) % 2 == 0:
        lesion[3:7, 3:7, 3:7] = True
    scores = rng.random(SHAPE).astype(np.float32) + 0.8 * lesion
    if name.startswith("silent"):
        scores = scores * np.float32(0.01)
    return ScoredSubject(
        subject=name,
        map=scores.astype(np.float32),
        brain=np.ones(SHAPE, bool),
        lesion=lesion,
        spacing=(2.0, 2.0, 2.0),
    )


VAL = ["val0", "val1", "val2", "val3"]


def test_what_finds_nothing_has_dice_nought_however_many_are_lesion_free() -> None:
    silent = [f"silent{k}" for k in range(6)]
    found = evaluate(drawn, VAL, silent, CONFIG, workers=1).summary["raw"].subjects
    dice = found["dice@val-dice"]
    assert (dice.mean, dice.n, dice.undefined) == (0, 3, 0)
    assert found["matched_f1@val-dice"].mean == 0
    assert found["any_detection_lesion_free@val-dice"].mean == 0


def test_lesion_free_subjects_change_no_threshold_and_no_figure_of_the_others() -> None:
    test = [f"loud{k}" for k in range(6)]
    ill = [name for name in test if int(name[-1]) % 2 == 0]
    both = evaluate(drawn, VAL, test, CONFIG, workers=1)
    alone = evaluate(drawn, VAL[::2], ill, CONFIG, workers=1)
    for name in ("val-dice", "oracle"):
        mine, other = (e.operating_points["raw"][name] for e in (both, alone))
        assert mine.threshold == other.threshold
        assert "with a lesion" in mine.how
    figures, others = (e.summary["raw"].subjects for e in (both, alone))
    for key in ("dice@val-dice", "dice@oracle", "ap", "hd95@val-dice", "matched_f1@val-dice"):
        assert figures[key] == others[key]
        assert figures[key].n + figures[key].undefined == 3


def test_lesion_free_subjects_are_reported_apart() -> None:
    test = [f"loud{k}" for k in range(6)]
    found = evaluate(drawn, VAL, test, CONFIG, workers=1)
    threshold = found.operating_points["raw"]["val-dice"].threshold
    above = [(drawn(name).map > threshold).sum() for name in test[1::2]]
    figures = found.summary["raw"].subjects
    volume = figures["false_positive_ml_lesion_free@val-dice"]
    assert volume.n == 3
    assert volume.mean == pytest.approx(np.mean(above) * 8 / 1000)
    assert volume.low <= volume.mean <= volume.high
    rate = figures["false_positive_rate_lesion_free@val-dice"].mean
    assert rate == pytest.approx(np.mean(above) / np.prod(SHAPE))
    any_of_them = figures["any_detection_lesion_free@val-dice"]
    assert any_of_them.mean == np.mean(np.array(above) > 0)
    lines = found.subjects[found.subjects["point"] == "val-dice"].set_index("subject")
    assert lines.loc[test[1::2], ["dice", "precision", "ap", "matched_f1"]].isna().all(axis=None)


def test_counted_figures_are_sums_over_the_subjects_with_a_lesion() -> None:
    table = pd.DataFrame(
        {
            "subject": ["a", "b", "c"],
            "chain": "raw",
            "point": "val-dice",
            "lesion_ml": [1.0, 2.0, 0.0],
            "lesions": [10, 1, 0],
            "detections": [4, 1, 50],
            "lesions_matched": [2, 1, 0],
            "lesions <0.1 ml": [8, 0, 0],
            "lesions_found <0.1 ml": [2, 0, 0],
        }
    )
    found = subject_figures(table, 200)
    counted = found["matched_f1_counted@val-dice"]
    assert counted.mean == 2 * 3 / (11 + 5)
    assert 2 * 2 / 14 <= counted.low <= counted.mean <= counted.high <= 1
    small = found["lesion_sensitivity <0.1 ml@val-dice"]
    assert (small.mean, small.n, small.undefined) == (0.25, 1, 1)
