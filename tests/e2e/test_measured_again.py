"""What is measured names a result: a new metric, or another formula, is never answered with old numbers."""

import json

import pytest

from andi_bench.metrics import catalogue
from andi_bench.metrics.metric import Metric

QUICK = "--alone --device cpu --workers 1 --set preprocessing.size=32 --set evaluation.previews=0"


def added(monkeypatch, measure):
    metric = Metric(
        key="detected_ml",
        title="Detected",
        definition="Volume detected.",
        unit="ml",
        measure=measure,
    )
    monkeypatch.setitem(catalogue.CATALOGUE, metric.key, metric)


def once(case):
    return float(case.detection.sum()) * case.voxel_ml


def twice(case):
    return 2 * float(case.detection.sum()) * case.voxel_ml


@pytest.fixture
def run(cli, scans, tmp_path):
    def go():
        answer = cli(f"run --method thresholding --dataset folder --data-root {scans} {QUICK}")
        assert answer.code == 0, answer.err
        records = (tmp_path / "workspace" / "records").glob("thresholding__*/record.json")
        newest = max(records, key=lambda path: path.stat().st_mtime_ns)
        summary = json.loads(newest.read_text())["summary"]["raw"]["subjects"]
        return answer.err, summary.get("detected_ml@val-dice", {}).get("mean")

    return go


def test_a_new_metric_is_measured_on_the_maps_that_are_there(run, monkeypatch):
    assert run()[1] is None
    added(monkeypatch, once)
    said, value = run()
    assert value is not None
    assert value > 0
    assert "scoring" not in said
    said, _ = run()
    assert "was there already" in said


def test_another_formula_gives_other_numbers(run, monkeypatch):
    added(monkeypatch, once)
    before = run()[1]
    added(monkeypatch, twice)
    assert run()[1] == pytest.approx(2 * before)


def test_a_metric_that_divides_by_nothing_is_named(cli, scans, monkeypatch):
    added(monkeypatch, lambda case: 1 / 0)
    answer = cli(f"run --method thresholding --dataset folder --data-root {scans} {QUICK}")
    assert answer.code == 2
    assert "metric 'detected_ml'" in answer.err
