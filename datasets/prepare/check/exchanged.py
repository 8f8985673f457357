"""Modalities whose names are exchanged, told from how their intensities go together.

Cerebrospinal fluid is dark in T1 and bright in T2; FLAIR nulls it. So T1 with and without contrast go together, T2
against them, and FLAIR with them, though weakly. T2 under another's name turns this upside down. T1, T1 with
contrast and FLAIR in one another's place cannot be told like that: without a lesion they are too much alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from datasets.scans.nifti import NiftiScan

EXPECTED = {
    frozenset({"t1", "t1ce"}): 0.8,
    frozenset({"t1", "t2"}): -0.7,
    frozenset({"t1ce", "t2"}): -0.7,
    frozenset({"flair", "t1"}): 0.5,
    frozenset({"flair", "t1ce"}): 0.4,
    frozenset({"flair", "t2"}): -0.3,
}
"""Correlation within a brain, without its lesion: about what two patients with MS and the phantoms show."""
EXCHANGES = (("t1", "t2"), ("flair", "t2"), ("t1ce", "t2"))
MARGIN = 0.15
"""The mean squared distance from what is expected falls by so much when the two names are exchanged."""
ENOUGH = 100
"""Voxels of the brain without which nothing is said."""


def exchanged(
    images: Mapping[str, NiftiScan],
    brain: NDArray[np.bool_],
    lesion: NDArray[np.bool_] | None = None,
) -> str | None:
    """Tell whether the names of two modalities look exchanged.

    Parameters
    ----------
    images : mapping of modality to NiftiScan
        On one grid; of two alone nothing can be told.
    brain : bool (X, Y, Z)
        Where they are compared.
    lesion : bool (X, Y, Z) or None
        What is left out.

    Returns
    -------
    str or None
        One line that names the two; None where no exchange explains the images clearly better.
    """
    found = _correlations(images, brain if lesion is None else brain & ~lesion)
    if len(found) < 3:
        return None
    names = {name for pair in found for name in pair}
    as_named = _distance(found, {})
    best, line = as_named - MARGIN, None
    for one, other in EXCHANGES:
        if not {one, other} <= names:
            continue
        distance = _distance(found, {one: other, other: one})
        if distance < best:
            best = distance
            shown = ", ".join(f"{'-'.join(sorted(pair))} {r:.2f}" for pair, r in found.items())
            line = f"{one} and {other} look swapped, by how the images correlate ({shown})"
    return line


def _distance(found: Mapping[frozenset[str], float], names: Mapping[str, str]) -> float:
    return float(
        np.mean(
            [
                (r - EXPECTED[frozenset(names.get(name, name) for name in pair)]) ** 2
                for pair, r in found.items()
            ]
        )
    )


def _correlations(
    images: Mapping[str, NiftiScan], where: NDArray[np.bool_]
) -> dict[frozenset[str], float]:
    picked = np.flatnonzero(where.ravel("F"))
    picked = picked[:: max(1, picked.size // 50_000)]
    if picked.size < ENOUGH:
        return {}
    values = {k: scan.values.ravel("F")[picked].astype(np.float64) for k, scan in images.items()}
    varied = [name for name, v in values.items() if v.std() > 0]
    return {
        frozenset({a, b}): float(np.corrcoef(values[a], values[b])[0, 1])
        for a, b in combinations(varied, 2)
        if frozenset({a, b}) in EXPECTED
    }
