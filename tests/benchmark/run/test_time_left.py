"""How long a command still takes: learnt from what was run, whatever the command."""

import pytest

from andi_bench.console import Console
from andi_bench.records.schema import Costs, Protocol, RunInfo, RunRecord
from andi_bench.records.speeds import KeptSpeed
from andi_bench.records.times import MEASURING, SCORING, write_times
from benchmark.run import time_left
from benchmark.run.time_left import USUAL, Planned, TimeLeft


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time_left.time, "monotonic", lambda: now[0])
    return now


def record(folder=None, times=None, preset="quick"):
    costs = Costs(training_seconds=600.0, seconds_per_volume=2.0)
    run = RunInfo(method="m", label="m", dataset="one", preset=preset, identity="0" * 16)
    if folder is not None:
        write_times(folder, times)
    protocol = Protocol(subjects={"val": 6, "test": 4})
    return RunRecord(run=run, protocol=protocol, summary={}, costs=costs, folder=folder)


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
    assert left.in_words() == "1 run left"  # what thresholding took says nothing of another method


def test_of_runs_that_are_known_in_part_a_lower_bound_is_told(clock):
    runs = [Planned("a", "small", 0), Planned("b", "small", 0), Planned("a", "small", 1)]
    left = TimeLeft(runs, [], "quick")
    left.finish(100.0, True)
    assert left.in_words() == "2 runs left, more than 100 s"
    left.begin()
    assert left.outlook(20.0) == "all of it: more than 2 min left"
    left.finish(30.0, True)
    assert left.in_words() == "1 run left, some 100 s"


def test_earlier_runs_tell_and_a_training_is_counted_once():
    runs = [Planned("m", "two", 0), Planned("m", "one", 1), Planned("m", "two", 1)]
    left = TimeLeft(runs, [record()], "quick")
    assert left.seconds() == pytest.approx(600 + 3 * (20 + 10 * USUAL))
    left.finish(55.0, True)  # so long it took here, without a training
    assert left.seconds() == pytest.approx(600 + 20 + 10 * USUAL + 55)
    assert TimeLeft(runs, [record()], "paper").seconds() is None


def test_what_scoring_and_measuring_took_counts_and_a_run_that_is_there_takes_no_time(tmp_path):
    runs = [Planned("m", "one", 0), Planned("m", "one", 1, found=True)]
    known = record(tmp_path, {SCORING: 3.0, MEASURING: 50.0})
    assert TimeLeft(runs, [known], "quick").seconds() == pytest.approx(20 + 50)
    slow = record(tmp_path, {SCORING: 90.0, MEASURING: 50.0})  # reading and bias field among it
    assert TimeLeft(runs, [slow], "quick").seconds() == pytest.approx(90 + 50)


def test_the_whole_command_counts_down_and_is_never_less_than_its_stage(clock, tmp_path):
    known = record(tmp_path, {MEASURING: 0.0})
    left = TimeLeft([Planned("m", "one", 0), Planned("m", "one", 0)], [known], "quick")
    left.begin()
    assert left.outlook(0.0) == "all of it: some 40 s left"
    clock[0] = 15.0
    assert left.outlook(0.0) == "all of it: some 25 s left"
    assert left.outlook(90.0) == "all of it: some 110 s left"
    left.finish(15.0, True)
    clock[0] = 29.0
    assert left.outlook(0.0) == ""  # of seconds nothing is said


def test_it_stands_beside_every_stage_s_own_time(capsys):
    left = TimeLeft([Planned("m", "one", 1)], [record()], "quick")
    console = Console(interval=0.0, outlook=left.outlook)
    with console.progress("scoring", 4) as advance:
        advance(1, "S1")
    assert "all of it: some 10.7 min left" in capsys.readouterr().err


def test_of_trainings_alone_only_these_count():
    runs = [Planned("m", "one", 0), Planned("m", "one", 1), Planned("m", "one", 2)]
    left = TimeLeft(runs, [record()], "quick", scores=False)
    assert left.seconds() == pytest.approx(2 * 600)  # seed 0 has learnt


def test_what_speed_measured_tells_of_a_method_without_a_run():
    fast = KeptSpeed("new", "quick", volume_seconds=3.0, training_seconds=100.0)
    other = KeptSpeed("new", "paper", volume_seconds=3000.0, training_seconds=None)
    runs = [Planned("new", "one", 0)]
    left = TimeLeft(runs, [], "quick", speeds=[fast, other])
    assert left.in_words() == "1 run left, more than 100 s"  # how many volumes is not known yet
    left = TimeLeft(runs, [record()], "quick", speeds=[fast, other])
    assert left.seconds() == pytest.approx(100 + 10 * (3 + USUAL))
    assert left.in_words() == "1 run left, some 2.5 min"
    assert TimeLeft(runs, [], "quick", scores=False, speeds=[fast]).in_words() == (
        "1 run left, some 100 s"
    )


def test_a_run_tells_more_than_what_speed_measured():
    wrong = KeptSpeed("m", "quick", volume_seconds=1000.0, training_seconds=1.0)
    left = TimeLeft([Planned("m", "one", 0)], [record()], "quick", speeds=[wrong])
    assert left.seconds() == pytest.approx(10 * (2 + USUAL))


def test_what_speed_could_not_tell_makes_a_lower_bound_or_nothing():
    by_epochs = KeptSpeed("new", "quick", volume_seconds=3.0, training_seconds=None)
    left = TimeLeft([Planned("new", "one", 0)], [record()], "quick", speeds=[by_epochs])
    assert left.in_words() == "1 run left, more than 50 s"
    left = TimeLeft([Planned("new", "one", 0)], [], "quick", speeds=[by_epochs])
    assert left.in_words() == "1 run left"
