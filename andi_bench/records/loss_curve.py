"""The loss curve of a training, and whether it was still falling when the budget ended."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError

LOSSES = "loss.csv"
"""Name of the file, with a training and with the record of a run."""
LEAST_FALL = 0.02
"""A fall of the mean loss by less than this share, over a fifth of the budget, is not worth a note."""
_LEAST_ROWS = 20


def read_losses(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read a ``loss.csv``: steps and mean losses up to them, float64 (M,) each.

    Raises
    ------
    UserError
        When the file is missing, or step and loss are not there as numbers.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        pairs = [(float(line["step"]), float(line["loss"])) for line in lines]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except KeyError as error:
        raise UserError(f"{path}: no column {error}, columns step and loss wanted") from error
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: step and loss must be numbers ({error})") from error
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def still_falling(losses: NDArray[np.float64]) -> float | None:
    """Return by what share the mean loss fell from the last but one fifth of a training to the last fifth.

    Parameters
    ----------
    losses : float64 (M,)
        Over equal numbers of steps each.

    Returns
    -------
    float or None
        In (0, 1]; None where the fall is below :data:`LEAST_FALL`, within two standard errors of nothing, or the curve
        too short to tell.
    """
    if len(losses) < _LEAST_ROWS:
        return None
    fifth = len(losses) // 5
    before, after = losses[-2 * fifth : -fifth], losses[-fifth:]
    fall = float(before.mean() - after.mean())
    error = float(np.sqrt(before.var(ddof=1) / fifth + after.var(ddof=1) / fifth))
    if before.mean() <= 0 or fall <= 2 * error or fall < LEAST_FALL * before.mean():
        return None
    return fall / float(before.mean())
