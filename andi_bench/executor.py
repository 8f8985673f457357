"""Work on many subjects in several processes, with the same result as in one."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from andi_bench.errors import UserError

MOST = 8
"""More workers than this wait for the disk, and hold a volume each in memory."""

Work = Callable[[Callable[[str], Any], Sequence[str]], Iterator[Any]]
"""Maps a task over subjects, in order."""


class Named(Protocol):
    """Anything with a subject's name."""

    @property
    def id(self) -> str:
        """The subject's name."""
        ...


Item = TypeVar("Item")
Subject = TypeVar("Subject", bound=Named)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Failure:
    """A subject that could not be worked on.

    Parameters
    ----------
    subject : str
        Its id.
    reason : str
        One line.
    """

    subject: str
    reason: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}"


def default_workers() -> int:
    """Return one worker a core that this process may use, at most :data:`MOST`."""
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return min(MOST, len(os.sched_getaffinity(0)))
    return min(MOST, os.cpu_count() or 1)


def each(
    task: Callable[[Subject], Result], items: Sequence[Subject], workers: int | None = None
) -> Iterator[tuple[Subject, Result | Failure]]:
    """Yield every item with what a task made of it, as they come; one that fails does not stop the others.

    Parameters
    ----------
    task : callable
        Sent to each process once; picklable. What it raises becomes a :class:`Failure`.
    items : sequence
        Things with an ``id``; picklable.
    workers : int or None
        Processes; None: see :func:`default_workers`. With one the work is done in this process.

    Raises
    ------
    UserError
        When a process was ended from outside.
    """
    return completed(partial(_guarded, task), items, workers)


def completed(
    task: Callable[[Item], Result], items: Sequence[Item], workers: int | None = None
) -> Iterator[tuple[Item, Result]]:
    """Yield every item with what a task made of it, as they come; what a task raises ends the work.

    Parameters
    ----------
    task, items, workers
        As for :func:`each`.

    Raises
    ------
    UserError
        When a process was ended from outside; and what the task raises.
    """
    count = min(workers or default_workers(), len(items))
    if count <= 1:
        for item in items:
            yield item, task(item)
        return
    with _processes(count, task) as pool:
        waiting = {pool.submit(_work, item): item for item in items}
        for done in as_completed(waiting):
            yield waiting.pop(done), done.result()


@contextmanager
def ordered(count: int, workers: int | None, worth: Callable[[], bool]) -> Iterator[Work]:
    """Yield a function that maps a task over subjects in order, in processes where that is worth it.

    Parameters
    ----------
    count : int
        How many subjects there will be work on.
    workers : int or None
        Processes; None: one a core, if it is worth it.
    worth : callable
        Tells whether starting processes costs less than it saves; asked only where ``workers`` does not say.

    Raises
    ------
    UserError
        When a process was ended from outside.
    """
    chosen = min(workers or default_workers(), count)
    if chosen <= 1 or (workers is None and not worth()):
        yield map
        return
    with _processes(chosen) as pool:
        yield pool.map


@contextmanager
def _processes(
    count: int, task: Callable[[Any], Any] | None = None
) -> Iterator[ProcessPoolExecutor]:
    # Spawned, not forked: the parent may hold threads of ITK and torch that do not survive a fork.
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _start, (task,))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise UserError(
            "a process was ended from outside, for lack of memory perhaps: run again to go on, with fewer "
            "--workers if it recurs"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _guarded(task: Callable[[Subject], Result], item: Subject) -> Result | Failure:
    try:
        return task(item)
    except UserError as error:
        return Failure(item.id, str(error))
    except Exception as error:  # whatever a strange file sets off, the other subjects go on
        first = (str(error).splitlines() or [""])[0]
        return Failure(item.id, f"internal error: {type(error).__name__}: {first}")


_task: Callable[[Any], Any] | None = None  # a worker process's copy, sent once


def _start(task: Callable[[Any], Any] | None) -> None:
    global _task
    _task = task
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A killed parent never says so: without this its workers would wait for work, and hold memory, for ever.
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _work(item: Any) -> Any:
    assert _task is not None
    return _task(item)
