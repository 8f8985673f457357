"""Work on many subjects in several processes: what fails for one is one line, and the rest goes on."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from andi_bench.cores import default_workers
from andi_bench.errors import UserError


class Named(Protocol):
    """Anything with a subject's name."""

    @property
    def id(self) -> str:
        """The subject's name."""
        ...


Item = TypeVar("Item", bound=Named)
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


def each(
    task: Callable[[Item], Result], items: Sequence[Item], workers: int | None = None
) -> Iterator[tuple[Item, Result | Failure]]:
    """Yield every item with what a task made of it, as they come.

    Parameters
    ----------
    task : callable
        Sent to each process once; picklable. What it raises becomes a :class:`Failure`.
    items : sequence
        Things with an ``id``; picklable.
    workers : int or None
        Processes; None: one per CPU that may be used, at most 8. With one the work is done in this process.

    Raises
    ------
    UserError
        When a process was ended from outside.
    """
    count = min(workers or default_workers(), len(items))
    if count <= 1:
        for item in items:
            yield item, _guarded(task, item)
        return
    # Spawned, not forked: the parent may hold threads of ITK and torch that do not survive a fork.
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _take_task, (task,))
    try:
        waiting = {pool.submit(_work, item): item for item in items}
        for done in as_completed(waiting):
            yield waiting.pop(done), done.result()
    except BrokenProcessPool as error:
        raise UserError(
            "a process was ended from outside, for lack of memory perhaps: run again to go on, with fewer "
            "--workers if it recurs"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _guarded(task: Callable[[Item], Result], item: Item) -> Result | Failure:
    try:
        return task(item)
    except UserError as error:
        return Failure(item.id, str(error))
    except Exception as error:  # whatever a strange file sets off, the other subjects go on
        first = (str(error).splitlines() or [""])[0]
        return Failure(item.id, f"internal error: {type(error).__name__}: {first}")


_task: Callable[[Any], Any] | None = None  # a worker process's copy, sent once


def _take_task(task: Callable[[Any], Any]) -> None:
    global _task
    _task = task
    mother = multiprocessing.parent_process()
    if mother is not None:
        # A killed parent never says so: without this its workers would wait for work, and hold memory, for ever.
        threading.Thread(target=_follow_into_death, args=(mother,), daemon=True).start()


def _follow_into_death(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _work(item: Any) -> Any:
    assert _task is not None
    return _guarded(_task, item)
