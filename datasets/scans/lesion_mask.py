"""What a mask file's values mean: labels, 0/255, or probabilities that resampling left behind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from andi_bench.config import Section
from andi_bench.errors import UserError
from datasets.scans.nifti import NiftiScan


class LesionRule(Section):
    """Which voxels of a mask file are lesion."""

    lesion_labels: tuple[int, ...] | None = Field(
        None, min_length=1, description="labels that are lesion; null: every label above 0"
    )
    other_labels: tuple[int, ...] = Field(
        (), description="labels the mask may hold beside lesion_labels; any else is refused"
    )
    mask_threshold: float = Field(
        0.5, gt=0, lt=1, description="a resampled mask (values between 0 and 1) is lesion above it"
    )


def lesion_voxels(scan: NiftiScan, rule: LesionRule) -> NDArray[np.bool_]:
    """Turn a mask file into a lesion mask, bool (X, Y, Z).

    Parameters
    ----------
    scan : NiftiScan
        Labels (0 background; {1, 2, 4}, {1, 2, 3}, {0, 255}, ...), or numbers between 0 and 1, a little
        beyond where a spline overshot.
    rule : LesionRule
        Which labels count, and where numbers are cut.

    Raises
    ------
    UserError
        For negative or unknown labels, and for numbers that are neither labels nor probabilities.
    """
    values = scan.values
    flat = values.ravel("F")  # the file's own order: a view
    inside = flat[flat != 0]
    if inside.size == 0:
        return np.zeros(values.shape, dtype=bool)
    low, high = inside.min(), inside.max()
    if values.dtype.kind == "f" and np.abs(inside - np.rint(inside)).max() > 1e-3:
        if low < -0.25 or high > 1.25:
            raise UserError(
                f"{scan.path}: values from {low:g} to {high:g} that are not whole numbers: labels, or "
                "numbers between 0 and 1, wanted"
            )
        return values > rule.mask_threshold
    labels = np.unique(np.rint(inside).astype(np.int64))
    labels = labels[labels != 0]
    if labels.size and labels[0] < 0:
        raise UserError(f"{scan.path}: label {labels[0]}: labels of 0 and above wanted")
    if rule.lesion_labels is None:
        return values > 0.5
    known = {*rule.lesion_labels, *rule.other_labels}
    unknown = [int(label) for label in labels if int(label) not in known]
    if unknown:
        listed = ", ".join(map(str, sorted(known)))
        raise UserError(f"{scan.path}: label {unknown[0]} found: one of 0, {listed} wanted")
    return _among(values, rule.lesion_labels)


def _among(values: NDArray[Any], labels: tuple[int, ...]) -> NDArray[np.bool_]:
    out = np.zeros_like(
        values, dtype=bool
    )  # in the file's own order, else this is many times slower
    for label in labels:
        out |= np.abs(values - label) < 0.5 if values.dtype.kind == "f" else values == label
    return out
