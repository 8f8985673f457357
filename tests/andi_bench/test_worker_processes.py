"""Many subjects in several processes: the results of one process, and a failure that is one line."""

import os
from dataclasses import dataclass

import pytest

from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.executor import Failure, completed, default_workers, each, ordered


@dataclass(frozen=True)
class Subject:
    id: str


def square(number):
    return number * number


def examine(subject):
    if subject.id == "damaged":
        raise UserError("damaged.nii.gz: truncated")
    if subject.id == "strange":
        raise KeyError("no such\nkey")
    return subject.id.upper()


def end(_):
    os._exit(9)


@pytest.mark.parametrize("workers", [1, 2])
def test_one_that_fails_does_not_stop_the_others(workers):
    names = ("a", "damaged", "strange", "b")
    found = {s.id: result for s, result in each(examine, [Subject(n) for n in names], workers)}
    assert (found["a"], found["b"]) == ("A", "B")
    assert found["damaged"] == Failure("damaged", "damaged.nii.gz: truncated")
    assert str(found["strange"]).startswith("strange: internal error: KeyError")
    assert "\n" not in str(found["strange"])


@pytest.mark.parametrize("workers", [1, 2])
def test_results_are_those_of_one_process_and_in_order_where_asked(workers):
    numbers = list(range(7))
    assert dict(completed(square, numbers, workers)) == {n: n * n for n in numbers}
    with ordered(len(numbers), workers, lambda: True) as work:
        assert list(work(square, numbers)) == [n * n for n in numbers]


def test_processes_start_only_where_it_is_worth_it():
    with ordered(7, None, lambda: False) as work:
        assert work is map
    assert 1 <= default_workers() <= 8


def test_a_process_that_is_ended_from_outside_is_one_line():
    with pytest.raises(UserError, match="ended from outside"):
        list(completed(end, [1, 2], 2))


def test_progress_is_lines_where_there_is_no_terminal(capsys):
    console = Console(interval=0)
    console.note("one thing [not markup]")
    with console.progress("scoring", 2) as advance:
        advance(1, "S01")
        advance(1, "")
    with console.reporting() as report:
        report("reading", 1, 1)
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert lines[0] == "one thing [not markup]"
    assert lines[1].startswith("scoring: 1/2, S01 (")
    assert lines[2].startswith("scoring: 2/2 (")
    assert lines[3].startswith("reading: 1/1 (")
    with Console(quiet=True).progress("scoring", 2) as advance:
        advance(2, "")
    assert capsys.readouterr().err == ""
