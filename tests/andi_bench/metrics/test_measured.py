"""What is measured has a name that changes with it."""

import dataclasses

from andi_bench.metrics import catalogue
from andi_bench.metrics.measured import measured, measured_in_records
from andi_bench.metrics.metric import Metric
from andi_bench.metrics.points import POINTS


def one(case):
    return 1.0


def two(case):
    return 2.0


def named(monkeypatch, **changes):
    metric = Metric(key="mine", title="Mine", definition="Mine.", measure=one)
    monkeypatch.setitem(catalogue.CATALOGUE, "mine", dataclasses.replace(metric, **changes))
    return measured()


def test_every_metric_and_every_point_is_named():
    names = set(measured())
    assert names == {f"metric {k}" for k in catalogue.CATALOGUE} | {f"point {k}" for k in POINTS}


def test_records_are_also_named_by_how_validation_subjects_are_resampled():
    assert set(measured_in_records()) - set(measured()) == {"threshold spread"}


def test_words_change_no_name_and_formulas_do(monkeypatch):
    first = named(monkeypatch)
    assert named(monkeypatch, title="Other", definition="Other words.", digits=1) == first
    for change in ({"measure": two}, {"over": "lesion"}, {"at": "every"}):
        other = named(monkeypatch, **change)
        assert {key for key in first if first[key] != other[key]} == {"metric mine"}


def test_a_function_whose_text_is_not_there_is_named_too(monkeypatch):
    assert named(monkeypatch, measure=abs)["metric mine"]
