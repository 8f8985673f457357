"""How long a command still takes: learnt from what was run, whatever the command."""

import pytest

from andi_bench.console import Console
from andi_bench.records.schema import Costs, Protocol, RunInfo, RunRecord
from benchmark.run import time_left
from benchmark.run.time_left import MEASURING, Planned, TimeLeft


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time_left.time, "monotonic", lambda: now[0])
    return now


def record(method="m", measuring=None, preset="quick"):
    costs = Costs(training_seconds=600.0, seconds_per_volume=2.0)
    run = RunInfo(method=method, label=method, dataset="one", preset=preset, identity="0" * 16)
    more = {"provenance": {"seconds": {MEASURING: measuring}}} if measuring is not None else {}
    protocol = Protocol(subjects={"val": 6, "test": 4})
    return RunRecord(run=run, protocol=protocol, summary={}, costs=costs, **more)


def test_without_records_it_is_learnt_from_what_was_run(clock):
    runs = [
        Planned("random", "small", 0),
        Planned("thresholding", "small", 0),
        Planned("random", "small", 1),
    ]
    left = TimeLeft(runs, [], "quick")
    assert left.seconds() is None
    assert left.outlook(5.0) == ""
    assert left.in_words() == "3 runs left"
    left.finish(7.0, False)  # how long a failure took, or a run that was there, tells of nothing
    assert left.in_words() == "2 runs left"
    left.finish(100.0, True)
    assert left.in_words() == "1 run left, some 100 s"  # as long as the only one known


def test_earlier_runs_tell_and_a_training_is_counted_once():
    runs = [Planned("m", "two", 0), Planned("m", "one", 1), Planned("m", "two", 1)]
    left = TimeLeft(runs, [record()], "quick")
    assert left.seconds() == pytest.approx(600 + 3 * 20)
    left.finish(55.0, True)  # so long it took here, without a training
    assert left.seconds() == pytest.approx(600 + 20 + 55)
    assert TimeLeft(runs, [record()], "paper").seconds() is None


def test_measuring_counts_for_every_method_and_a_run_that_is_there_takes_no_time():
    runs = [Planned("m", "one", 0), Planned("m", "one", 1, found=True)]
    assert TimeLeft(runs, [record(measuring=50.0)], "quick").seconds() == pytest.approx(20 + 50)


def test_the_whole_command_counts_down_and_is_never_less_than_its_stage(clock):
    left = TimeLeft([Planned("m", "one", 0), Planned("m", "one", 0)], [record()], "quick")
    left.begin()
    assert left.outlook(0.0) == "all of it: some 40 s left"
    clock[0] = 15.0
    assert left.outlook(0.0) == "all of it: some 25 s left"
    assert left.outlook(90.0) == "all of it: some 110 s left"


def test_it_stands_beside_every_stage_s_own_time(capsys):
    left = TimeLeft([Planned("m", "one", 1)], [record()], "quick")
    console = Console(interval=0.0, outlook=left.outlook)
    with console.progress("scoring", 4) as advance:
        advance(1, "S1")
    assert "all of it: some 10.3 min left" in capsys.readouterr().err
