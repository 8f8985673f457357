"""Jobs are handed over in order, followed, found again, and what fails is named."""

import json

import pytest
from support.small_runs import request_of

from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.section import Resources
from benchmark.sweeps.following import Following, last_lines
from benchmark.sweeps.job_files import ENDED, Submitted, write_said
from benchmark.sweeps.job_list import Job


class Pretended:
    """An executor whose jobs end as the test says: an exit code, or None for one that ends without a word."""

    name, beat, grace, left = "pretended", 0.0, 0.0, "gone"

    def __init__(self, ends, *, chains=False):
        self.ends, self.chains = ends, chains
        self.order, self.running, self.most, self.waited = [], {}, 0, {}

    def submit(self, job, folder, after, behind):
        number = str(len(self.order) + 1)
        self.order.append(job.key)
        self.waited[job.key] = (list(after), list(behind))
        self.running[number] = (job.key, folder)
        self.most = max(self.most, len(self.running))
        log = folder / "log"
        log.write_text(f"began\n\nlast word of {job.key}\n")
        return Submitted(self.name, number, str(log))

    def alive(self):
        there = dict.fromkeys(self.running, "running")
        # One job ends before the next question, the first of those that are there.
        for number, (key, folder) in list(self.running.items())[:1]:
            del self.running[number]
            if self.ends.get(key, 0) is not None:
                write_said(folder / ENDED, {"code": self.ends.get(key, 0), "seconds": 1.0})
        return there

    def why(self, job):
        return "Slurm: CANCELLED"

    def stop(self):
        pass


@pytest.fixture
def follow(tmp_path, four_scans, capsys):
    request = request_of(four_scans, tmp_path)

    def run(jobs, executor, **more):
        made = [
            Job(key, f"the {key}", "run", request, Resources(cpus=1, gpus=0), *waits)
            for key, waits in jobs.items()
        ]
        following = Following(made, tmp_path / "jobs", executor, Console(), **more)
        following.follow()
        return following, capsys.readouterr().err

    return run


ROW = {
    "data": (),
    "training": (("data",),),
    "other": (),
    "run": (("data", "training"), ("other",)),
}


def test_a_job_waits_for_those_that_it_needs_and_no_more_than_asked_run_at_a_time(follow):
    executor = Pretended({})
    following, _ = follow(ROW, executor, limit=1)
    assert executor.order == ["data", "training", "other", "run"]
    assert executor.most == 1
    assert set(following.done) == set(ROW)


def test_an_executor_that_keeps_the_order_itself_gets_all_at_once(follow):
    executor = Pretended({}, chains=True)
    _, said = follow(ROW, executor)
    assert executor.most == 4
    assert executor.waited["training"] == (["1"], [])
    number = str(executor.order.index("other") + 1)
    assert executor.waited["run"] == (["1", "2"], [number])
    assert "submitted     the training: job 2, after 1" in said


def test_a_failure_is_named_with_its_log_and_takes_along_what_needs_it_alone(follow):
    following, said = follow(ROW, Pretended({"training": 2}))
    assert set(following.done) == {"data", "other"}
    assert "a mistake in what was asked for" in following.failed["training"].reason
    assert "not begun, for this failed: the training" in following.failed["run"].reason
    assert "| last word of training" in said
    assert "log: " in said


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (None, "Slurm: CANCELLED"),
        (-9, "killed (SIGKILL, for lack of memory perhaps); Slurm: CANCELLED"),
        (130, "stopped; the same command goes on; Slurm: CANCELLED"),
        (1, "exit code 1; Slurm: CANCELLED"),
    ],
)
def test_how_a_job_ended_is_said_in_words(follow, code, reason):
    following, _ = follow({"a": ()}, Pretended({"a": code}))
    assert following.failed["a"].reason == reason


def test_what_follows_another_is_run_though_that_failed(follow):
    following, _ = follow({"first": (), "then": ((), ("first",))}, Pretended({"first": 1}))
    assert set(following.done) == {"then"}


def test_a_job_that_is_there_already_is_not_submitted_again(follow, tmp_path):
    folder = tmp_path / "jobs" / "a"
    folder.mkdir(parents=True)
    executor = Pretended({})
    executor.running["78"] = ("b", tmp_path)
    (tmp_path / "log").write_text("")
    Submitted("pretended", "78", str(tmp_path / "log")).write(folder)
    following, said = follow({"a": ()}, executor)
    assert executor.order == []
    assert "there already the a: job 78, running" in said
    assert set(following.failed) == {"a"}  # and it ended without leaving word


def test_a_job_that_ended_long_ago_is_submitted_again(follow, tmp_path):
    folder = tmp_path / "jobs" / "a"
    folder.mkdir(parents=True)
    Submitted("pretended", "78", "log").write(folder)
    write_said(folder / ENDED, {"code": 1, "seconds": 1.0})
    executor = Pretended({})
    following, _ = follow({"a": ()}, executor)
    assert executor.order == ["a"]
    assert set(following.done) == {"a"}
    assert json.loads((folder / "job.json").read_text())["stage"] == "run"


def test_a_job_that_nobody_takes_is_a_failure_of_its_own(follow):
    class Refusing(Pretended):
        def submit(self, job, folder, after, behind):
            if job.key == "a":
                raise UserError("no such partition")
            return super().submit(job, folder, after, behind)

    following, _ = follow({"a": (), "b": ()}, Refusing({}))
    assert following.failed["a"].reason == "no such partition"
    assert set(following.done) == {"b"}


def test_a_queue_that_cannot_be_read_ends_the_command_before_anything_is_submitted(follow):
    class Mute(Pretended):
        def alive(self):
            return None

    executor = Mute({})
    with pytest.raises(UserError, match="its queue cannot be read"):
        follow({"a": ()}, executor)
    assert executor.order == []


def test_of_a_log_the_last_lines_that_say_something_are_shown(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"one\n" * 50_000 + b"two\r \nthree\xff\n\n")
    assert last_lines(log, 3) == ["one", "two", "three\N{REPLACEMENT CHARACTER}"]
    assert last_lines(tmp_path / "none") == []
