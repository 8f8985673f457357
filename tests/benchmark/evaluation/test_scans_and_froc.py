"""Scores of scans, FROC and references of a run's maps: as counted from the maps themselves."""

from dataclasses import replace

import numpy as np
import pytest
from support.mixed_records import CONFIG as SMALL
from support.mixed_records import TEST, VAL, mixed

from andi_bench.metrics.froc import froc_counts, froc_of, froc_thresholds
from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.lesionwise import LesionLabels
from benchmark.evaluation.protocol import evaluate

SUBJECTS = TEST[:6]


def load(name):
    return mixed(name, 2.0)


@pytest.fixture(scope="module")
def found():
    return evaluate(load, VAL, SUBJECTS, SMALL, workers=1)


def test_the_table_of_subjects_has_the_score_of_each_scan(found):
    lines = found.subjects[found.subjects["chain"] == "raw"].drop_duplicates("subject")
    for name, score in zip(lines["subject"], lines["scan_score"], strict=True):
        case = load(name)
        assert score == pytest.approx(np.sort(case.map[case.brain])[-12:].mean())
    scan = found.summary["raw"].scan
    assert (scan.lesion, scan.lesion_free) == (3, 3)
    assert scan.low <= scan.auroc <= scan.high


def test_the_curve_is_that_of_all_maps_at_the_chosen_thresholds(found):
    cases = [load(name) for name in SUBJECTS]
    merged = ScoreHistogram.merge(score_histogram(c.map, c.brain, c.lesion) for c in cases)
    thresholds = froc_thresholds(merged)
    counts = [froc_counts(c.map, c.brain, c.lesion & c.brain, thresholds) for c in cases]
    lesions = [len(LesionLabels(c.lesion & c.brain).size) for c in cases]
    wanted = froc_of(counts, lesions, SMALL.bootstraps)
    curve = found.summary["raw"].froc
    assert (curve.lesions, curve.with_lesion, curve.scans) == (3, 3, 6)
    assert [point.sensitivity for point in curve.at] == [p.sensitivity for p in wanted.points]
    assert [point.error for point in curve.at] == [p.error for p in wanted.points]
    assert curve.sensitivity == pytest.approx(wanted.sensitivity.tolist(), abs=1e-5)


def test_without_a_kind_of_subjects_there_is_no_figure_that_needs_it():
    ill = evaluate(load, VAL, SUBJECTS[::2], SMALL, workers=1)
    assert ill.summary["raw"].scan is None
    assert ill.summary["raw"].froc is not None
    free = evaluate(load, VAL, SUBJECTS[1::2], SMALL, workers=1)
    assert free.summary["raw"].scan is None
    assert free.summary["raw"].froc is None
    assert free.references["everything"].pooled.ap is None
    volume = free.references["everything"].subjects["false_positive_ml_lesion_free@val-dice"]
    assert volume.mean == pytest.approx(
        np.mean([load(n).brain.sum() for n in SUBJECTS[1::2]]) * 0.08
    )


def test_small_detections_leave_the_froc_too(found):
    config = SMALL.model_copy(update={"min_component_ml": 0.3})
    least = evaluate(load, VAL, SUBJECTS, config, workers=1)
    (name,) = [chain for chain in least.summary if chain.startswith("min")]
    cleaned = least.summary[name].froc
    # a false positive of one voxel is gone, so the same rate buys at least as much
    raw = found.summary["raw"].froc
    assert cleaned.at[1].sensitivity >= raw.at[1].sensitivity


@pytest.mark.parametrize(
    ("voxels", "said"),
    [
        (1, "1 of {} lesion voxels lies outside the brain mask and does not count"),
        (2, "2 of {} lesion voxels lie outside the brain mask and do not count"),
    ],
)
def test_a_note_counts_the_lesion_voxels_outside_the_brain(voxels, said):
    def with_lesion_outside(name):
        case = load(name)
        lesion = case.lesion.copy()
        if name == SUBJECTS[0]:
            lesion[0, 0, :voxels] = True
        return replace(case, lesion=lesion)

    notes = evaluate(with_lesion_outside, VAL, SUBJECTS, SMALL, workers=1).notes
    total = sum(int(with_lesion_outside(name).lesion.sum()) for name in SUBJECTS)
    assert said.format(total) in notes
