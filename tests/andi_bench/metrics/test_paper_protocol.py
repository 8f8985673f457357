"""The publication's own protocol against the golden values, and against numpy written out."""

import csv
import importlib.util
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score
from support.places import SHARED

from andi_bench.metrics.exact import exact_pooled_ranking
from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.pooled import pooled_auroc, pooled_average_precision
from andi_bench.metrics.histograms.scores import NonFiniteScores
from andi_bench.metrics.median import median_filter
from andi_bench.metrics.paper import paper_protocol, sweep_thresholds

GOLDEN = SHARED / "golden"
needs_golden = pytest.mark.skipif(
    not (GOLDEN / "evaluation.json").is_file(), reason="golden/evaluation.json is not at hand"
)


def golden_subjects(chain: str) -> list[tuple[np.ndarray, np.ndarray]]:
    spec = importlib.util.spec_from_file_location("golden_evaluation", GOLDEN / "evaluation.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    maps, lesions = module.make()
    if chain == "median5":
        maps = [median_filter(scores, 5) for scores in maps]
    return list(zip(maps, lesions, strict=True))


def golden(chain: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((GOLDEN / "evaluation.json").read_text())[chain]
    return values


@needs_golden
@pytest.mark.parametrize("chain", ["raw", "median5"])
def test_the_protocol_gives_the_golden_values(chain: str) -> None:
    found, expected = paper_protocol(golden_subjects(chain)), golden(chain)
    assert found.auprc == pytest.approx(expected["auprc"], abs=1e-6)
    threshold, dice = found.best
    assert threshold == pytest.approx(expected["best_threshold_in_window"], abs=1e-9)
    assert dice == pytest.approx(expected["best_dice_in_window"], abs=1e-6)
    assert found.at_edge
    sweep = dict(zip(found.thresholds, found.dice, strict=True))
    for at, value in expected["dice_at"].items():
        assert sweep[float(at)] == pytest.approx(value, abs=1e-6)
    assert found.yen_thresholds == pytest.approx(expected["yen_thresholds"], abs=1e-6)
    assert found.yen_dice == pytest.approx(expected["yen_dice"], abs=1e-6)


@needs_golden
@pytest.mark.parametrize("chain", ["raw", "median5"])
def test_histograms_and_two_passes_give_the_golden_pooled_values(chain: str) -> None:
    subjects, expected = golden_subjects(chain), golden(chain)
    exact = exact_pooled_ranking(subjects)
    assert exact.average_precision == pytest.approx(expected["auprc"], abs=1e-9)
    assert exact.auroc == pytest.approx(expected["auroc"], abs=1e-9)
    merged = ScoreHistogram.merge(
        score_histogram(scores, scores != 0, lesion) for scores, lesion in subjects
    )
    for metric, name in (
        (pooled_average_precision(merged, "all"), "auprc"),
        (pooled_auroc(merged, "all"), "auroc"),
    ):
        assert metric is not None
        assert abs(metric.value - expected[name]) <= metric.error + 1e-9
        assert metric.error <= 1e-4


def volumes(count: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    made = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        lesion = ndimage.binary_dilation(rng.random((14, 13, 12)) < 0.003, iterations=2)
        scores = rng.gamma(2.0, size=lesion.shape) + 4 * lesion
        made.append((scores.astype(np.float32), lesion))
    return made


@pytest.mark.parametrize(("window", "min_max"), [((0.01, 0.4), True), ((0.8, 1.0), False)])
def test_the_protocol_equals_numpy_written_out(window: tuple[float, float], min_max: bool) -> None:
    subjects = volumes()
    if not min_max:
        subjects = [(scores / np.float32(12), lesion) for scores, lesion in subjects]
    found = paper_protocol(subjects, window, min_max)
    maps = np.stack([scores for scores, _ in subjects])
    lesions = np.stack([lesion for _, lesion in subjects])
    scaled = (maps - maps.min()) / (maps.max() - maps.min()) if min_max else maps
    for threshold, dice in zip(found.thresholds, found.dice, strict=True):
        above = scaled > np.float32(threshold)
        both = above.sum(axis=(1, 2, 3)) + lesions.sum(axis=(1, 2, 3))
        expected = 2 * (above & lesions).sum(axis=(1, 2, 3)) / both
        assert dice == pytest.approx(expected.mean(), abs=1e-12)
    assert found.auprc == pytest.approx(average_precision_score(lesions.ravel(), maps.ravel()))


def test_the_published_windows_have_the_published_number_of_steps() -> None:
    for window, steps, last in (
        ((0.01, 0.3), 290, 0.299),
        ((0.01, 0.4), 390, 0.399),
        ((0.8, 1.0), 200, 0.999),
    ):
        thresholds = sweep_thresholds(window)
        assert len(thresholds) == steps
        assert thresholds[-1] == last
    with pytest.raises(ValueError, match="window"):
        sweep_thresholds((0.3, 0.3))


def test_the_table_has_the_published_form() -> None:
    found = paper_protocol(volumes(), (0.01, 0.02))
    lines = list(csv.reader(io.StringIO(found.csv())))
    assert lines[0] == ["thr", "value"]
    assert [line[0] for line in lines[1:4]] == ["0.01", "0.011", "0.012"]
    assert [line[0] for line in lines[-2:]] == ["yen", "AUPRC"]
    assert len(lines) == 1 + 10 + 2
    assert float(lines[1][1]) == found.dice[0]
    assert float(lines[-1][1]) == found.auprc


def test_one_scaling_is_common_to_all_maps() -> None:
    alone, together = volumes(1), volumes(2)
    brighter = (together[1][0] * 50, together[1][1])
    first = paper_protocol(alone, (0.01, 0.03)).dice
    assert paper_protocol([alone[0], brighter], (0.01, 0.03)).dice != first


def test_lesion_free_and_constant_maps_are_defined() -> None:
    flat = np.full((5, 5, 5), 0.4, dtype=np.float32)
    found = paper_protocol([(flat, np.zeros(flat.shape, bool))])
    assert set(found.dice) == {1.0}
    assert found.yen_thresholds == (None,)
    assert found.yen_dice == 1
    assert found.auprc is None
    assert found.csv().endswith("AUPRC,\n")


@pytest.mark.parametrize("factor", [1e37, 1e-40])
def test_huge_and_tiny_scores_are_scaled_without_overflow(factor: float) -> None:
    subjects = [
        ((scores.astype(float) * factor).astype(np.float32), lesion)
        for scores, lesion in volumes(2)
    ]
    found = paper_protocol(subjects)
    expected = paper_protocol(volumes(2))
    assert found.dice == pytest.approx(expected.dice, abs=2e-3)


def test_what_cannot_be_evaluated_is_refused() -> None:
    def once() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from volumes(1)

    with pytest.raises(ValueError, match="read twice"):
        paper_protocol(once())
    with pytest.raises(ValueError, match="no subjects"):
        paper_protocol([])
    scores, lesion = volumes(1)[0]
    with pytest.raises(ValueError, match="one shape"):
        paper_protocol([(scores, lesion[1:])])
    scores[0, 0, 0] = np.nan
    with pytest.raises(NonFiniteScores, match="1 of"):
        paper_protocol([(scores, lesion)])
