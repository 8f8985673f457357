"""How the process keeps memory: large blocks that are freed stay with it, for the next of their size."""

from __future__ import annotations

import contextlib
import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of ``mallopt`` in glibc's malloc.h."""
_MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have the C library keep large blocks that are freed, for the rest of the process; return whether it does.

    A network on a CPU takes and frees hundreds of blocks of many MiB at every call. The C library hands each back to the
    system at once, and the system clears every page of the next one: a third of the time of a call. Kept, the memory of one
    call serves the next; the peak is the same, and what is held afterwards goes back by ``malloc_trim``. Nothing is done
    where there is no ``mallopt`` (other systems than Linux with glibc).
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_MMAP_THRESHOLD, _MOST)) and bool(mallopt(_TRIM_THRESHOLD, _MOST))
    return False
