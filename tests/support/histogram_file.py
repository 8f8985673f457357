"""The histograms of a record, read as anyone would who has numpy and not this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_histograms(folder: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a record's ``histograms.npz``, by name."""
    with np.load(folder / "histograms.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
