"""Scores that float32 cannot tell apart, brought to it in their order.

Scores count by their order alone. Where float32 would lose it (probabilities within 1e-9 of 1, log-likelihoods with a
large offset, whole numbers of 64 bits, numbers beyond its range), all maps of a method are mapped together, by one
function that rises strictly: validation and test share thresholds. First, the function that takes the lowest score of
all to 0 and the highest to 1; where float32 cannot tell its results apart either (scores over hundreds of decades), one
that is linear between knots, which lie at equal steps of the scores' ranks.

Memory is that of one map, whatever their number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.scans.nifti import float32_holds, read_nifti

SAMPLED = 500_000
"""Voxels of a map that are looked at to tell whether its order is lost."""
TOGETHER = 8
"""Different scores of the sample that may become one float32: continuous scores of float64 now and then do."""
KNOTS = 1 << 16
"""Most knots of the second function."""
_LARGEST = float(np.finfo(np.float32).max)
_PER_MAP = 1 << 12
_HALF = 2.0**-2  # so that no difference of two float64 is beyond its range


@dataclass(frozen=True)
class ScoreScale:
    """A strictly rising function from scores as they are stored to float32 in [0, 1].

    Parameters
    ----------
    origin : int
        Taken from whole numbers of 64 bits before anything else, exactly; 0 for real numbers.
    knots : tuple of float
        Rising; what lies between two is mapped linearly. Two knots: shifted and scaled.
    """

    origin: int
    knots: tuple[float, ...]

    @cached_property
    def _table(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.array(self.knots) * _HALF, np.linspace(0.0, 1.0, len(self.knots))

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Map scores of any shape and number format."""
        knots, places = self._table
        real = _real(values, self.origin) * _HALF
        low = np.clip(np.searchsorted(knots, real, side="right") - 1, 0, len(knots) - 2)
        width = knots[low + 1] - knots[low]
        share = np.clip((real - knots[low]) / width, 0.0, 1.0)
        return (places[low] + share * places[1]).astype(np.float32)

    def description(self) -> dict[str, Any]:
        """Return what identifies the function."""
        knots = " ".join(float(knot).hex() for knot in self.knots)
        return {
            "origin": self.origin,
            "knots": hashlib.blake2b(knots.encode(), digest_size=16).hexdigest(),
        }

    def note(self) -> str:
        """Return what a reader of the record must know."""
        how = (
            f"shifted and scaled together, {self.origin + self.knots[0]:.10g} to 0 and "
            f"{self.origin + self.knots[-1]:.10g} to 1"
            if len(self.knots) == 2
            else f"mapped together by their ranks (linear between {len(self.knots)} scores), lowest to 0, highest to 1"
        )
        return (
            f"float32 cannot tell the given scores apart: all maps were {how}. Their order is kept, and thresholds "
            "are on the new scale"
        )


def common_scale(
    files: Sequence[Path], advance: Callable[[], None] | None = None
) -> ScoreScale | None:
    """Find the function that all maps of a method need; None where float32 keeps their order as they are.

    Parameters
    ----------
    files : sequence of Path
        All maps of the run, those of the validation subjects among them.
    advance : callable, optional
        Called after each file of the first pass.

    Raises
    ------
    UserError
        As :func:`datasets.scans.nifti.read_nifti`.
    """
    if all(float32_holds(path) for path in files):
        return None
    lost, whole = False, True
    least: list[Any] = []
    most: list[Any] = []
    for path in files:
        values = read_nifti(path, exact=True).values
        whole &= values.dtype.kind in "iu"
        # as Python's numbers: exact, whatever the format
        least.append(values.min().item())
        most.append(values.max().item())
        if not lost and _may_lose(values):
            lost = max(abs(least[-1]), abs(most[-1])) > _LARGEST or _merged(_sample(values), _plain)
        if advance is not None:
            advance()
    if not lost:
        return None
    origin = int(min(least)) if whole else 0
    low, high = float(min(least) - origin), float(max(most) - origin)
    linear = ScoreScale(origin, (low, high))
    samples = (_sample(read_nifti(path, exact=True).values) for path in files)
    if not any(_merged(sample, linear) for sample in samples):
        return linear
    samples = (_sample(read_nifti(path, exact=True).values) for path in files)
    return ScoreScale(origin, _knots(samples, origin, low, high))


def _may_lose(values: NDArray[Any]) -> bool:
    return values.dtype.itemsize > (4 if values.dtype.kind == "f" else 2)


def _sample(values: NDArray[Any]) -> NDArray[Any]:
    flat = values.ravel("K")
    return np.unique(flat[:: max(1, flat.size // SAMPLED)])


def _plain(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float32)


def _merged(different: NDArray[Any], change: Callable[[NDArray[Any]], NDArray[np.float32]]) -> bool:
    """Whether more than :data:`TOGETHER` different scores become one."""
    reached = change(different)
    return bool(len(reached) > TOGETHER and (reached[TOGETHER:] == reached[:-TOGETHER]).any())


def _real(values: NDArray[Any], origin: int) -> NDArray[np.float64]:
    if values.dtype.kind in "iu" and origin:
        # Modulo 2^64, which the differences are below: exact for either sign.
        shifted = values.astype(np.uint64) - np.uint64(origin % 2**64)
        return shifted.astype(np.float64)
    return values.astype(np.float64)


def _knots(
    samples: Iterable[NDArray[Any]], origin: int, low: float, high: float
) -> tuple[float, ...]:
    """Return scores at about equal steps of their ranks, rising, the lowest and the highest among them."""
    kept = np.empty(0)
    for sample in samples:
        step = max(1, len(sample) // _PER_MAP)
        kept = np.union1d(kept, _real(sample[::step], origin))
        while len(kept) > KNOTS:
            kept = kept[::2]
    return tuple(np.union1d(kept, [low, high]).tolist())
