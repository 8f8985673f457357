"""Work on subjects, in this process or in several, with the same result."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from andi_bench.cores import default_workers
from benchmark.evaluation.measurement import Loader

PARALLEL_VOXELS = 30_000_000
"""With fewer voxels in all, starting processes costs more than it saves."""

Work = Callable[[Callable[[str], Any], Sequence[str]], Iterator[Any]]
"""Maps a task over subjects, in order."""


@contextmanager
def workforce(load: Loader, subjects: Sequence[str], workers: int | None) -> Iterator[Work]:
    """Yield a function that maps a task over subjects in order, in processes where that is worth it.

    Parameters
    ----------
    load : callable
        Returns a scored subject by its name.
    subjects : sequence of str
        All subjects that there will be work on.
    workers : int or None
        Processes; None: as many as the work is worth.
    """
    count = min(workers or default_workers(), len(subjects))
    if workers is None and count > 1:
        voxels = load(subjects[0]).brain.size * len(subjects)
        count = count if voxels > PARALLEL_VOXELS else 1
    if count <= 1:
        yield map
        return
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
