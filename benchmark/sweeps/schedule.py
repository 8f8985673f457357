"""What jobs there are, in which order, what they ask for and how long they take: told before they are handed over."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from andi_bench.console import in_words
from andi_bench.names import counted
from benchmark.sweeps.job_list import Job


@dataclass(frozen=True)
class Schedule:
    """Jobs, and how long they take.

    Parameters
    ----------
    jobs : tuple of Job
        In order.
    limit : int or None
        Most at a time; None: any number.
    """

    jobs: tuple[Job, ...]
    limit: int | None

    @property
    def work(self) -> float | None:
        """Seconds of all jobs that something is known of; None where that is none."""
        known = [job.expected for job in self.jobs if job.expected is not None]
        return sum(known) if known else None

    @property
    def whole(self) -> bool:
        """Whether it is known how long each run and training takes; of data made ready it never is."""
        return all(job.expected is not None for job in self.jobs if job.stage != "data")

    @property
    def span(self) -> float | None:
        """Seconds from the first job's begin to the last one's end, where each begins as soon as it may."""
        if self.work is None:
            return None
        ends: dict[str, float] = {}
        busy: list[float] = []
        for job in self.jobs:
            begin = max((ends[name] for name in (*job.after, *job.behind)), default=0.0)
            if self.limit is not None and len(busy) >= self.limit:
                begin = max(begin, heapq.heappop(busy))
            ends[job.key] = begin + (job.expected or 0.0)
            heapq.heappush(busy, ends[job.key])
        return max(ends.values(), default=0.0)

    def in_words(self) -> str:
        """Return how much there is to do, and how long it takes."""
        runs = sum(job.stage == "run" for job in self.jobs)
        words = counted(runs, "run")
        if len(self.jobs) > runs:
            words += f" in {counted(len(self.jobs), 'job')}"
        work, span = self.work, self.span
        if work is None or span is None:
            return f"{words}; how long they take is not known yet"
        about = "some" if self.whole else "more than"
        words += f", {about} {in_words(float(f'{work:.2g}'))} of work"
        if self.limit != 1:
            many = "all" if self.limit is None else str(self.limit)
            words += f", {about} {in_words(float(f'{span:.2g}'))} with {many} at a time"
        return words

    def as_dict(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "jobs": [
                {
                    "name": job.name,
                    "stage": job.stage,
                    "folder": job.key,
                    "after": list(job.after),
                    "behind": list(job.behind),
                    **job.resources.model_dump(mode="json"),
                    "expected_seconds": job.expected,
                }
                for job in self.jobs
            ],
            "work_seconds": self.work,
            "span_seconds": self.span,
            "all_known": self.whole,
        }


def show_schedule(schedule: Schedule, finished: Sequence[str], *, reserves: bool) -> None:
    """Print a table of the jobs, and what is finished.

    Parameters
    ----------
    schedule : Schedule
        Of the jobs.
    finished : sequence of str
        Runs that seem to be finished.
    reserves : bool
        Whether resources are asked for; not in a command's own process.
    """
    from tabulate import tabulate

    numbers = {job.key: number for number, job in enumerate(schedule.jobs, start=1)}
    rows = []
    for job in schedule.jobs:
        waits = ", ".join(str(numbers[name]) for name in (*job.after, *job.behind))
        took = "not known" if job.expected is None else in_words(float(f"{job.expected:.2g}"))
        row = [numbers[job.key], job.name, waits, took]
        own = job.resources
        rows.append([*row, own.cpus, own.gpus, own.memory, own.time] if reserves else row)
    heads = ["", "job", "after", "expected"]
    if reserves:
        heads += ["cpus", "gpus", "memory", "time"]
    if rows:
        print(tabulate(rows, heads, tablefmt="simple", disable_numparse=True))
        print()
    print(f"to be made: {schedule.in_words()}" if rows else "to be made: nothing")
    if finished:
        print(f"there already, looked at again when it runs: {'; '.join(finished)}")
