"""Jobs handed over in order and followed to their ends: what ended well, what failed and why."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from andi_bench.console import Console, in_words
from andi_bench.errors import UserError
from andi_bench.names import counted
from benchmark.sweeps.executors import Executor, killed_by
from benchmark.sweeps.job_files import ENDED, Submitted, Task, read_said
from benchmark.sweeps.job_list import Job

LAST_LINES = 5
"""Of a failed job's log that are shown."""
_MOST_LINE = 300


@dataclass(frozen=True)
class Failed:
    """A job that did not end well.

    Parameters
    ----------
    job : Job
        Which.
    number : str
        What the executor calls it; "" where it was not submitted.
    reason : str
        In words.
    log : Path or None
        Its log.
    """

    job: Job
    number: str
    reason: str
    log: Path | None = None

    def lines(self) -> list[str]:
        """Return what is to be said of it."""
        number = f" (job {self.number})" if self.number else ""
        out = [f"failed        {self.job.name}{number}: {self.reason}"]
        if self.log is not None:
            out += [f"              | {line}" for line in last_lines(self.log)]
            out.append(f"              log: {self.log}")
        return out


class Following:
    """The jobs of a sweep, handed over as their turn comes.

    Parameters
    ----------
    jobs : sequence of Job
        Each after those that it needs.
    folder : Path
        Holds a folder a job.
    executor : Executor
        Does the jobs.
    console : Console
        Where to say how far it is.
    limit : int or None
        Most jobs that are handed over at a time; None: all.
    plugins : sequence of Path
        Loaded by each job.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        folder: Path,
        executor: Executor,
        console: Console,
        *,
        limit: int | None = None,
        plugins: Sequence[Path] = (),
    ) -> None:
        self._folder, self._executor, self._console = folder, executor, console
        self._limit, self._plugins = limit, tuple(plugins)
        self._waiting = {job.key: job for job in jobs}
        self._there: dict[str, tuple[Job, Submitted]] = {}
        self._missed: dict[str, float] = {}
        self.done: dict[str, Job] = {}
        self.failed: dict[str, Failed] = {}

    def place(self, job: Job) -> Path:
        """Return a job's folder."""
        return self._folder / job.key

    def follow(self) -> None:
        """Hand all jobs over and wait for them.

        Raises
        ------
        UserError
            When a job's folder cannot be written, or the executor takes no job at all.
        """
        self._find()
        while self._waiting or self._there:
            self._hand_over()
            self._look()
            if self._waiting or self._there:
                time.sleep(self._executor.beat)

    def _find(self) -> None:
        """Find jobs that an earlier command handed over and that are still there: nothing is run twice."""
        alive = self._executor.alive()
        for _ in range(5):
            if alive is not None:
                break
            time.sleep(self._executor.beat)
            alive = self._executor.alive()
        if alive is None:
            raise UserError(f"--executor {self._executor.name}: its queue cannot be read")
        for key, job in list(self._waiting.items()):
            before = Submitted.read(self.place(job))
            if before is None or before.executor != self._executor.name or before.job not in alive:
                continue
            self._there[key] = (self._waiting.pop(key), before)
            self._console.note(f"there already {job.name}: job {before.job}, {alive[before.job]}")

    def _hand_over(self) -> None:
        for key, job in list(self._waiting.items()):
            if self._limit is not None and len(self._there) >= self._limit:
                return
            broken = [name for name in job.after if name in self.failed]
            if broken:
                del self._waiting[key]
                self._fail(Failed(job, "", f"not begun, for this failed: {self._named(broken)}"))
                continue
            waits = [name for name in (*job.after, *job.behind) if self._open(name)]
            if waits and (not self._executor.chains or any(n in self._waiting for n in waits)):
                continue
            del self._waiting[key]
            self._submit(key, job)

    def _open(self, name: str) -> bool:
        return name in self._waiting or name in self._there

    def _submit(self, key: str, job: Job) -> None:
        folder = self.place(job)
        threads = job.resources.cpus or 1
        task = Task(
            job.stage,
            replace(job.request, workers=job.request.workers or threads),
            self._plugins,
            processes=max(1, job.resources.gpus or 1),
            threads=threads,
        )
        folder.mkdir(parents=True, exist_ok=True)
        task.write(folder)
        (folder / ENDED).unlink(missing_ok=True)
        numbers = {name: one.job for name, (_, one) in self._there.items()}
        after = [numbers[name] for name in job.after if name in numbers]
        behind = [numbers[name] for name in job.behind if name in numbers]
        try:
            handed = self._executor.submit(job, folder, after, behind)
        except UserError as error:
            self._fail(Failed(job, "", str(error)))
            return
        handed.write(folder)
        self._there[key] = (job, handed)
        waits = f", after {', '.join([*after, *behind])}" if after or behind else ""
        self._console.note(f"submitted     {job.name}: job {handed.job}{waits}")

    def _look(self) -> None:
        """Take what ended from those that are there."""
        alive = self._executor.alive()
        if alive is None:
            return
        for key, (job, handed) in list(self._there.items()):
            ended = read_said(self.place(job) / ENDED)
            if ended.get("code") == 0:
                self._finish(key, job, float(ended.get("seconds", 0.0)))
            elif handed.job not in alive:  # one that was put back into the queue is not over
                self._lost(key, job, handed, ended)

    def _finish(self, key: str, job: Job, seconds: float) -> None:
        del self._there[key]
        self.done[key] = job
        left = len(self._waiting) + len(self._there)
        more = f" ({counted(left, 'job')} left)" if left else ""
        self._console.note(f"done          {job.name}: took {in_words(seconds)}{more}")

    def _lost(self, key: str, job: Job, handed: Submitted, ended: Mapping[str, object]) -> None:
        broken = [name for name in job.after if name in self.failed]
        since = self._missed.setdefault(key, time.monotonic())
        if not (ended or broken) and time.monotonic() - since < self._executor.grace:
            return  # a file of another machine may be seen later than the queue
        del self._there[key]
        if broken and not ended:
            self._fail(
                Failed(job, handed.job, f"not begun, for this failed: {self._named(broken)}")
            )
            return
        code, reasons = ended.get("code"), []
        if isinstance(code, int):
            reasons.append(_in_words(code))
        why = self._executor.why(handed.job)
        if why and not (why.endswith("FAILED") and reasons):
            reasons.append(why)
        reason = "; ".join(reasons) or "ended without a word"
        self._fail(Failed(job, handed.job, reason, Path(handed.log)))

    def _fail(self, failed: Failed) -> None:
        self.failed[failed.job.key] = failed
        for line in failed.lines():
            self._console.note(line)

    def _named(self, keys: Sequence[str]) -> str:
        return ", ".join(self.failed[key].job.name for key in keys)


def last_lines(log: Path, number: int = LAST_LINES) -> list[str]:
    """Return the last lines of a log that say something; [] where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    lines = [line.rstrip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return [line[:_MOST_LINE] for line in lines[-number:]]


def _in_words(code: int) -> str:
    if code < 0:
        return killed_by(code)
    return {
        2: "a mistake in what was asked for",
        130: "stopped; the same command goes on",
    }.get(code, f"exit code {code}")
