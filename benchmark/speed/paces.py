"""How long something takes, measured several times within a limit; and how much of it can be measured at all."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Clock = Callable[[], float]
"""Tells seconds: those that pass, or those that this process computes."""
GROWTH = 4
"""By how much the part that is measured grows while there is time."""


@dataclass(frozen=True)
class Pace:
    """Seconds that one volume, or one training step, takes.

    Parameters
    ----------
    seconds : float
        Median over the repeats, of the whole.
    lowest, highest : float
        Of the repeats.
    repeats : int
        How often it was measured.
    measured : str
        What of it was measured, such as ``8 of 131 slices``; "" for all: the seconds are not scaled then.
    peak_memory_mb : float or None
        Highest of the process, or of the accelerator's allocator, MiB.
    above_mb : float or None
        How much of it was not there before, MiB: beyond the network and the data.
    """

    seconds: float
    lowest: float
    highest: float
    repeats: int
    measured: str = ""
    peak_memory_mb: float | None = None
    above_mb: float | None = None


def pace_of(
    found: Sequence[float],
    scale: float = 1.0,
    measured: str = "",
    memory: tuple[float, float] | None = None,
) -> Pace:
    """Put repeats together; each is multiplied by ``scale``.

    Parameters
    ----------
    found : sequence of float
        Seconds of what was measured, one or more.
    scale : float
        The whole in units of what was measured.
    measured : str
        As in :class:`Pace`.
    memory : (float, float) or None
        Highest, and what was there before, MiB.
    """
    seconds = [scale * value for value in found]
    return Pace(
        seconds=statistics.median(seconds),
        lowest=min(seconds),
        highest=max(seconds),
        repeats=len(seconds),
        measured=measured,
        peak_memory_mb=memory[0] if memory else None,
        above_mb=max(0.0, memory[0] - memory[1]) if memory else None,
    )


def part_within(whole: int, share: float, timed: Callable[[int], float]) -> int:
    """Return how much of something can be measured in a time.

    Measures one, then four times as much as long as that fits, so that a large part's own speed counts, and warms up.

    Parameters
    ----------
    whole : int
        All of it, such as the slices of a volume.
    share : float
        Seconds that measuring may take once.
    timed : callable
        Measures so much of it; returns seconds.
    """
    part = 1
    took = timed(part)
    while part < whole:
        larger = min(whole, GROWTH * part)
        if took * larger / part > share:
            return max(part, min(whole, int(share / took * part)))
        part, took = larger, timed(larger)
    return part
