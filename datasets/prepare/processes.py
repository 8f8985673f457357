"""Subjects in several processes, none of which outlives the command."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from benchmark.errors import UserError

T = TypeVar("T")
R = TypeVar("R")


def cpus() -> int:
    """Return the number of cores that may be used."""
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(work: Callable[[T], R], tasks: Sequence[T], workers: int | None) -> Iterator[R]:
    """Do every task, yielding results as they come; when the caller stops, what has not begun is left.

    Parameters
    ----------
    work : callable
        A function of a module.
    tasks : sequence
        What it is given.
    workers : int or None
        Processes; None: one a core, at most 8.

    Raises
    ------
    UserError
        When a process is ended from outside.
    """
    count = min(workers or min(8, cpus()), len(tasks))
    if count <= 1:
        yield from map(work, tasks)
        return
    # Spawned, not forked: the parent may hold threads that do not survive a fork.
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _start, (os.getpid(),))
    try:
        futures = [pool.submit(work, task) for task in tasks]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise UserError(
            "a process was ended from outside, for lack of memory perhaps: run again to go on, with fewer "
            "--workers if it recurs"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start(parent: int) -> None:
    # The parent answers Ctrl-C, and stops the pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    """End this process when its parent is gone: killed, it cannot say so itself."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
