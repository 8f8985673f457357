"""The trials of a search: the same proposals whether it was stopped or not, and an end where all was tried."""

import pytest

from andi_bench.errors import UserError
from benchmark.tuning.budget import Budget
from benchmark.tuning.space import Choice, Range, Space
from benchmark.tuning.study import Attempt, Study, completed
from benchmark.tuning.trial import Part

SPACE = Space({"a.x": Range(0.0, 1.0), "a.y": Choice(("p", "q", ["r", 1]))})
FINITE = Space({"a.x": Choice((1, 2)), "a.y": Choice((True, None))})


def worth(settings):
    return float(settings["a.x"]) + (settings["a.y"] == "q")


def part(value):
    return Part(
        seed=0, fold=0, value=value, subjects={}, training="", training_seconds=None, seconds=0
    )


def opened(path, sampler="tpe", space=SPACE):
    return Study(path, space, sampler=sampler, seed=3, maximise=True)


def begun(path, sampler="tpe", space=SPACE, base=(0.5, "z")):
    study = opened(path, sampler, space)
    study.begin(completed(0, {"a.x": base[0], "a.y": base[1]}, [part(0.5)], 1.0))
    return study


def go_on(study, count):
    for _ in range(count):
        number, settings = study.propose()
        study.finish(completed(number, settings, [part(worth(settings))], 1.0))


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_that_was_stopped_proposes_what_it_would_have_proposed(tmp_path, sampler):
    whole = begun(tmp_path / "whole.log", sampler)
    go_on(whole, 14)
    go_on(begun(tmp_path / "parts.log", sampler), 4)
    killed = opened(tmp_path / "parts.log", sampler)
    lost = killed.propose()  # and the process is gone
    again = opened(tmp_path / "parts.log", sampler)
    assert again.propose() == lost
    go_on(opened(tmp_path / "parts.log", sampler), 10)
    found = opened(tmp_path / "parts.log", sampler).attempts()
    assert found == whole.attempts()
    assert [one.number for one in found] == list(range(15))
    assert len({one.key for one in found}) == 15


def test_tpe_looks_where_it_was_good(tmp_path):
    study = begun(tmp_path / "study.log")
    go_on(study, 30)
    late = [worth(one.settings) for one in study.attempts()[-10:]]
    early = [worth(one.settings) for one in study.attempts()[1:9]]
    assert sum(late) / len(late) > sum(early) / len(early)


def test_a_grid_tries_every_setting_once_and_the_one_of_trial_0_not_again(tmp_path):
    study = begun(tmp_path / "study.log", "grid", FINITE, base=(1, True))
    assert not study.exhausted()
    go_on(study, 2)
    assert not opened(tmp_path / "study.log", "grid", FINITE).exhausted()
    number, settings = study.propose()
    study.finish(Attempt(number=number, settings=settings, state="failed", reason="no"))
    assert study.exhausted()
    assert {one.key for one in study.attempts()[1:]} == {
        '{"a.x": 1, "a.y": null}',
        '{"a.x": 2, "a.y": null}',
        '{"a.x": 2, "a.y": true}',
    }


def test_a_grid_of_a_range_without_steps_is_refused(tmp_path):
    with pytest.raises(UserError, match="--sampler grid: lists, or ranges with step"):
        opened(tmp_path / "study.log", "grid")


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "study.log").write_bytes(b"no journal\n" * 9)
    with pytest.raises(UserError, match=r"study.log: cannot be used"):
        opened(tmp_path / "study.log")


def test_a_line_that_a_kill_cut_short_and_its_lock_are_passed_over(tmp_path):
    study = begun(tmp_path / "study.log", "random")
    go_on(study, 2)
    path = tmp_path / "study.log"
    path.write_bytes(path.read_bytes() + b'{"op_code": 5, "work')
    (tmp_path / "study.log.lock").write_bytes(b"")
    again = opened(path, "random")
    assert again.attempts() == study.attempts()
    go_on(again, 1)
    assert len(opened(path, "random").attempts()) == 4


def test_no_trial_is_started_that_would_end_too_late():
    budget = Budget(100.0, None)
    assert budget.spent(3, [50.0, 60.0, 900.0]) is None
    assert "a trial takes some 120 s" in budget.spent(1, [120.0])
    assert Budget(None, 3).spent(2, [120.0]) is None
    assert Budget(None, 3).spent(3, []) == "3 trials are done"
    assert Budget(None, 1).spent(1, []) == "1 trial is done"
