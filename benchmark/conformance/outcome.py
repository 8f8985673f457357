"""What a check comes to: passed, failed or not applicable, and the reason with the numbers found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Status = Literal["passed", "failed", "not applicable"]


class Failed(Exception):
    """The detector breaks the contract; the message holds the numbers found."""


class NotApplicable(Exception):
    """The check asks for something that the detector does not have; the message says what."""


@dataclass(frozen=True)
class Outcome:
    """One row of the table.

    Parameters
    ----------
    check : str
        Name of the check.
    status : str
        ``passed``, ``failed`` or ``not applicable``.
    reason : str
        One line, with the numbers found.
    seconds : float
        Wall-clock time of the check.
    """

    check: str
    status: Status
    reason: str
    seconds: float

    def record(self) -> dict[str, Any]:
        """Return the row as JSON holds it."""
        return {**asdict(self), "seconds": round(self.seconds, 2)}


def relative_difference(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the largest difference of two maps of one shape, as a share of the first one's largest value."""
    largest = float(np.abs(first).max(initial=0.0))
    difference = float(np.abs(first - second).max(initial=0.0))
    return difference / largest if largest > 0 else difference


def require_equal_maps(
    first: NDArray[np.float32], second: NDArray[np.float32], what: str, tolerance: float = 0.0
) -> float:
    """Compare two maps and return their relative difference.

    Raises
    ------
    Failed
        When it exceeds the tolerance; names ``what`` and the difference.
    """
    if first.shape != second.shape:
        raise Failed(f"{what}: maps of shape {first.shape} and {second.shape}")
    found = relative_difference(first, second)
    if not found <= tolerance:
        wanted = f"at most {tolerance:g}" if tolerance else "0"
        raise Failed(
            f"{what}: the maps differ by {found:.2g} of the largest score, {wanted} wanted"
        )
    return found
