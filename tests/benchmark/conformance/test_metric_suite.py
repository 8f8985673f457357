"""The check of the metrics: it passes for ours, and fails where one of them is broken."""

import json
import math

import numpy as np
import pytest
from support.places import SHARED

from andi_bench.metrics.exact import Ranking
from andi_bench.metrics.histograms.pooled import Bounded
from andi_bench.metrics.overlap import Overlap
from andi_bench.metrics.surface import SurfaceDistances
from benchmark.conformance import golden_values, metric_references, metric_suite
from benchmark.conformance.comparison import Comparison, compare
from benchmark.conformance.metric_cases import cohorts, mask_pairs, scored_voxels


@pytest.fixture(scope="module")
def found():
    return metric_suite.check_metrics()


def test_every_metric_agrees_with_its_references_on_this_machine(found):
    assert [one for one in found if not one.passed] == []
    names = {(one.metric, one.against) for one in found}
    assert names >= {
        ("Dice", "scikit-learn"),
        ("Dice", "medpy"),
        ("AP", "scikit-learn"),
        ("AUROC", "scikit-learn"),
        ("HD95", "medpy"),
        ("ASSD", "medpy"),
        ("paper's protocol, raw", "golden values"),
        ("paper's protocol, median5", "golden values"),
    }
    assert all(one.cases >= 12 for one in found)


def test_masks_and_scores_hold_what_breaks_metrics():
    pairs = mask_pairs()
    assert any(not p.detection.any() and not p.lesion.any() for p in pairs)
    assert any(p.detection.all() and p.lesion.sum() == 1 for p in pairs)
    assert any(max(p.spacing) / min(p.spacing) > 10 for p in pairs)
    voxels = scored_voxels()
    assert all(np.isfinite(v.scores).all() for v in voxels)
    assert any(len(np.unique(v.scores)) == 1 for v in voxels)
    assert any(np.abs(v.scores).max() > 1e38 for v in voxels)
    assert any(0 < np.abs(v.scores).max() < 1e-43 for v in voxels)
    assert any(v.lesion.all() for v in voxels)
    assert any(not v.lesion.any() for v in voxels)
    assert any(len(subjects) > 1 for _, subjects in cohorts())


def answering(value):
    return lambda *given, **options: value


def touching_faces(detection, lesion, spacing):
    """Measure between all voxels of the masks in place of their surfaces' ones, in voxels."""
    if not detection.any() or not lesion.any():
        return None
    places = np.argwhere(detection)
    nearest = [np.sqrt(((np.argwhere(lesion) - p) ** 2).sum(axis=1)).min() for p in places]
    return SurfaceDistances(float(np.percentile(nearest, 95)), float(np.mean(nearest)), {})


def halved(detection, lesion):
    both = int(np.count_nonzero(detection & lesion))
    return Overlap(both, int(detection.sum()), int(lesion.sum()))


BROKEN = {
    "Dice": ("overlap", halved, {"Dice"}),
    "AP and AUROC": ("exact_ranking", answering(Ranking(0.5, 0.5, 1, 1)), {"AP", "AUROC"}),
    "AP that is never there": (
        "exact_ranking",
        answering(Ranking(None, None, 0, 0)),
        {"AP", "AUROC"},
    ),
    "surfaces": ("surface_distances", touching_faces, {"HD95", "ASSD"}),
    "surfaces of empty masks": (
        "surface_distances",
        answering(SurfaceDistances(0.0, 0.0, {})),
        {"HD95", "ASSD"},
    ),
    "pooled AP": ("pooled_average_precision", answering(Bounded(0.3, 0.0)), {"pooled AP"}),
    "pooled AUROC, not a number": (
        "pooled_auroc",
        answering(Bounded(math.nan, 0.0)),
        {"pooled AUROC"},
    ),
    "two passes": (
        "exact_pooled_ranking",
        answering(Ranking(0.5, 0.5, 1, 1)),
        {"exact pooled AP", "exact pooled AUROC"},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_metric_is_named_with_its_case(name, monkeypatch):
    function, broken, wanted = BROKEN[name]
    monkeypatch.setattr(metric_references, function, broken)
    found = metric_references.against_references()
    assert {one.metric for one in found if not one.passed} == wanted
    assert all(one.worst for one in found if not one.passed)


@pytest.mark.parametrize("function", ["paper_protocol", "exact_pooled_ranking", "median_filter"])
def test_golden_values_see_a_change_of_the_protocol(function, monkeypatch):
    before = getattr(golden_values, function)

    def shifted(first, *more):
        if function == "median_filter":
            return before(first, 3)
        return before([(scores, np.roll(lesion, 1, axis=0)) for scores, lesion in first])

    monkeypatch.setattr(golden_values, function, shifted)
    failed = [one.metric for one in golden_values.against_golden_values() if not one.passed]
    chains = ["paper's protocol, raw", "paper's protocol, median5"]
    assert failed == (chains[1:] if function == "median_filter" else chains)


@pytest.mark.skipif(not (SHARED / "golden").is_dir(), reason="needs the golden values in ../shared")
def test_the_golden_maps_and_values_are_those_that_were_handed_over(monkeypatch):
    monkeypatch.syspath_prepend(SHARED / "golden")
    from evaluation import make

    handed = json.loads((SHARED / "golden" / "evaluation.json").read_text())
    assert golden_values.golden_values() == {name: handed[name] for name in ("raw", "median5")}
    for k, (scores, lesion) in enumerate(golden_values.golden_subjects()):
        assert np.allclose(scores, make()[0][k], rtol=0, atol=1e-6)
        assert np.array_equal(lesion, make()[1][k])
        assert lesion.sum() == handed["lesion_voxels"][k]


def test_a_metric_that_raises_is_an_infinite_difference_and_the_others_go_on(monkeypatch):
    def fail(*given):
        raise ZeroDivisionError("division by\nzero")

    monkeypatch.setattr(metric_references, "overlap", fail)
    found = {one.metric: one for one in metric_references.against_references()}
    assert found["Dice"].worst == "ZeroDivisionError: division by"
    assert found["Dice"].difference == math.inf
    assert found["AP"].passed


def test_a_value_on_one_side_only_and_no_case_at_all_do_not_pass():
    assert not compare("m", "r", [], 1.0, "").passed
    assert not compare("m", "r", [("a", None, 1.0)], 1.0, "").passed
    assert not compare("m", "r", [("a", 1.0, None)], 1.0, "").passed
    assert compare("m", "r", [("a", None, None)], 0.0, "").passed
    assert compare("m", "r", [("a", 101.0, 100.0)], 0.02, "", relative=True).passed
    assert not compare("m", "r", [("a", 101.0, 100.0)], 0.02, "").passed


def test_the_command_prints_a_table_and_ends_with_0_or_1(cli, monkeypatch):
    answer = cli("test --metrics")
    assert answer.code == 0, answer.err
    assert "all agree" in answer.out
    assert "scikit-learn" in answer.out
    monkeypatch.setattr(metric_references, "overlap", halved)
    answer = cli("test --metrics --json")
    assert answer.code == 1
    content = json.loads(answer.out)
    assert content["passed"] is False
    assert {row["metric"] for row in content["comparisons"] if not row["passed"]} == {"Dice"}
    assert set(content["versions"]) >= {"scikit-learn", "medpy"}
    assert cli("test --metrics").code == 1


def test_an_infinite_difference_is_null_in_json(capsys):
    metric_suite.show_metrics(
        [Comparison("Dice", "medpy", 1, math.inf, 1e-9, "a case", "")], as_json=True
    )
    assert json.loads(capsys.readouterr().out)["comparisons"][0]["difference"] is None


@pytest.mark.parametrize("more", ["--method ae", "--check bf16", "--set training.steps=3"])
def test_metrics_are_tested_alone(cli, more):
    answer = cli(f"test --metrics {more}")
    assert answer.code == 2
    assert "--metrics" in answer.err
