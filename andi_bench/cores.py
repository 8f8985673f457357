"""How many readers to start where nobody says."""

from __future__ import annotations

import os

MOST = 8
"""More readers than this wait for the disk, and hold a volume each in memory."""


def default_workers() -> int:
    """Return one worker a core that this process may use, at most :data:`MOST`."""
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return min(MOST, len(os.sched_getaffinity(0)))
    return min(MOST, os.cpu_count() or 1)
