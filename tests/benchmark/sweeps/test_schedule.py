"""How long jobs take together, and what is printed of it."""

import pytest
from support.small_runs import request_of

from andi_bench.section import Resources
from benchmark.sweeps.job_list import Job
from benchmark.sweeps.schedule import Schedule, show_schedule


@pytest.fixture
def jobs(four_scans, tmp_path):
    request = request_of(four_scans, tmp_path)

    def made(key, expected, after=(), stage="run"):
        resources = Resources(cpus=1, gpus=0)
        return Job(key, key, stage, request, resources, after, expected=expected)

    return (
        made("data", None, stage="data"),
        made("a", 600.0, ("data",)),
        made("b", 100.0, ("data",)),
        made("c", 100.0, ("b",)),
    )


@pytest.mark.parametrize(("limit", "span"), [(1, 800.0), (2, 600.0), (None, 600.0)])
def test_jobs_begin_as_soon_as_they_may(jobs, limit, span):
    schedule = Schedule(jobs, limit)
    assert (schedule.work, schedule.span) == (800.0, span)


def test_what_is_not_known_is_said(jobs):
    words = Schedule(jobs, 2).in_words()
    assert words == "3 runs in 4 jobs, some 13.3 min of work, some 10 min with 2 at a time"
    unknown = Schedule((*jobs[:2], Job(**{**vars(jobs[2]), "expected": None})), None)
    assert "more than 10 min of work, more than 10 min with all at a time" in unknown.in_words()
    assert "not known yet" in Schedule(jobs[:1], None).in_words()


def test_the_table_numbers_what_a_job_waits_for(jobs, capsys):
    show_schedule(Schedule(jobs, 2), ["d, seed 0"], reserves=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["job", "after", "expected", "cpus", "gpus", "memory", "time"]
    assert lines[5].split() == ["4", "c", "3", "100", "s", "1", "0", "16G", "24h"]
    assert "there already" in lines[-1]
    show_schedule(Schedule((), None), [], reserves=False)
    assert capsys.readouterr().out == "to be made: nothing\n"
