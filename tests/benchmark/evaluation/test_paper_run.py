"""The publication's protocol over a run's maps: window and scaling as published, unless somebody says otherwise."""

import dataclasses

import numpy as np
import pytest
from support.small_evaluation import TEST, scored

from andi_bench.config import EvaluationConfig, MethodEntry
from andi_bench.errors import UserError
from andi_bench.metrics.median import median_filter
from andi_bench.metrics.paper import WINDOW, paper_protocol
from benchmark.evaluation.paper_protocol import paper_run

PUBLISHED = MethodEntry(windows={"published": (0.1, 0.2)}, published_min_max=False)


def run(load=scored, method=None, **settings):
    return paper_run(load, TEST, EvaluationConfig(median=3, **settings), method)


def test_raw_and_filtered_maps_are_evaluated_each_on_its_own():
    found = run()
    assert list(found.results) == ["raw", "median3"]
    subjects = [scored(name) for name in TEST]
    raw = paper_protocol([(s.map, s.lesion) for s in subjects], WINDOW)
    filtered = paper_protocol([(median_filter(s.map, 3), s.lesion) for s in subjects], WINDOW)
    assert found.results == {"raw": raw, "median3": filtered}


def test_without_a_filter_there_is_one_row():
    assert list(paper_run(scored, TEST, EvaluationConfig(median=1), None).results) == ["raw"]


@pytest.mark.parametrize(
    ("method", "settings", "window", "min_max"),
    [
        (None, {}, WINDOW, True),
        (PUBLISHED, {}, (0.1, 0.2), False),
        (PUBLISHED, {"paper_window": (0.3, 0.4), "paper_min_max": True}, (0.3, 0.4), True),
        (MethodEntry(), {}, WINDOW, True),
    ],
    ids=["no entry", "published", "the user's", "nothing published"],
)
def test_window_and_scaling(method, settings, window, min_max):
    found = run(method=method, **settings)
    assert (found.window, found.min_max) == (window, min_max)
    record = found.record()
    assert (record.window, record.min_max) == (window, min_max)
    assert {len(result.thresholds) for result in found.results.values()} == {
        round((window[1] - window[0]) * 1000)
    }


def test_the_record_and_the_published_files_say_the_same():
    found = run()
    files, record = found.files("mine"), found.record()
    assert list(files) == ["mine.csv", "mine_mf.csv"]
    for text, chain in zip(files.values(), record.chains.values(), strict=True):
        lines = dict(line.split(",") for line in text.splitlines())
        assert lines.pop("thr") == "value"
        assert float(lines.pop("yen")) == chain.yen_dice
        assert float(lines.pop("AUPRC")) == chain.auprc
        assert max(map(float, lines.values())) == chain.dice
        assert float(lines[str(chain.threshold)]) == chain.dice


def test_maps_that_cannot_be_evaluated_are_named():
    def broken(name):
        found = scored(name)
        return dataclasses.replace(found, map=np.where(found.lesion, np.nan, found.map))

    with pytest.raises(UserError, match="subject t0: .*finite"):
        run(load=broken)
    with pytest.raises(ValueError, match="t0 has no lesion mask"):
        run(load=lambda name: dataclasses.replace(scored(name), lesion=None))
