"""What a mask file's values mean: labels, 0/255, or probabilities that resampling left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from andi_bench.config import Section
from andi_bench.errors import UserError
from datasets.scans.nifti import NiftiScan, read_nifti

_HIGHEST = 127  # bits of a hash, less one


class LesionRule(Section):
    """Which voxels of a mask file are lesion, and which count for nobody."""

    lesion_labels: tuple[int, ...] | None = Field(
        None,
        min_length=1,
        description="labels that are lesion; null: every label above 0 that is not to be ignored",
    )
    ignore_labels: tuple[int, ...] = Field(
        (),
        description="labels whose voxels count for nobody: neither lesion nor healthy (other pathology, cavities)",
    )
    other_labels: tuple[int, ...] | Literal["any"] = Field(
        (),
        description="labels the mask may hold beside lesion_labels, as healthy as 0; any else is refused",
    )
    mask_threshold: float = Field(
        0.5, gt=0, lt=1, description="a resampled mask (values between 0 and 1) is lesion above it"
    )

    @model_validator(mode="after")
    def _apart(self) -> LesionRule:
        require_apart(self.lesion_labels, self.ignore_labels)
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_empty_ignore(handler(self))


def brats_cavity_rule() -> LesionRule:
    """Return what the masks of BraTS 2024 and 2025 mean: necrosis 1, oedema 2, enhancing 3; resection cavity 4, ignored."""
    return LesionRule(lesion_labels=(1, 2, 3), ignore_labels=(4,))


def require_apart(lesion: tuple[int, ...] | None, ignore: tuple[int, ...]) -> None:
    """Refuse a label that is lesion and ignored at once, and labels below 1.

    Raises
    ------
    ValueError
        Names it.
    """
    both = sorted({*(lesion or ())} & {*ignore})
    if both:
        raise ValueError(f"label {both[0]} is lesion and ignored at once: one of them wanted")
    low = [label for label in (*(lesion or ()), *ignore) if label < 1]
    if low:
        raise ValueError(f"label {low[0]}: labels of 1 and above wanted")


def without_empty_ignore(dumped: dict[str, Any]) -> dict[str, Any]:
    """Leave ``ignore_labels`` out where there are none: what was named before the field was there keeps its name."""
    return {key: v for key, v in dumped.items() if key != "ignore_labels" or v}


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
        above = values > 0.5
        return above & ~_among(values, rule.ignore_labels) if rule.ignore_labels else above
    if rule.other_labels == "any":
        return _among(values, rule.lesion_labels)
    known = {*rule.lesion_labels, *rule.other_labels, *rule.ignore_labels}
    unknown = [int(label) for label in labels if int(label) not in known]
    if unknown:
        listed = ", ".join(map(str, sorted(known)))
        raise UserError(f"{scan.path}: label {unknown[0]} found: one of 0, {listed} wanted")
    return _among(values, rule.lesion_labels)


def ignored_voxels(scan: NiftiScan, rule: LesionRule) -> NDArray[np.bool_] | None:
    """Return the voxels of a mask file that count for nobody, bool (X, Y, Z); None where there is none.

    Parameters
    ----------
    scan : NiftiScan
        As for :func:`lesion_voxels`, which checks its labels. A mask of probabilities ignores nothing.
    rule : LesionRule
        Which labels are ignored.
    """
    if not rule.ignore_labels or labels_of(scan) is None:
        return None
    found = _among(scan.values, rule.ignore_labels)
    return found if found.any() else None


def labels_of(scan: NiftiScan) -> tuple[int, ...] | None:
    """Return the labels of a mask other than 0, rising; None for a mask of probabilities."""
    flat = scan.values.ravel("F")
    inside = flat[flat != 0]
    if scan.values.dtype.kind == "f":
        if inside.size and np.abs(inside - np.rint(inside)).max() > 1e-3:
            return None
        inside = np.rint(inside)
    return tuple(int(label) for label in np.unique(inside) if label != 0)


def mask_facts(path: Path) -> dict[str, str]:
    """Return what one reading of a mask file tells, each as 32 hexadecimal digits.

    ``labels``: those it holds, bit n for label n, the highest for all others. ``mask``: 1 where its values are labels of 0
    and above, or numbers between 0 and 1; else 0.

    Raises
    ------
    UserError
        As :func:`datasets.scans.nifti.read_nifti`.
    """
    scan, held, sound = read_nifti(path), 0, 1
    for label in labels_of(scan) or ():
        held |= 1 << (label if 0 < label < _HIGHEST else _HIGHEST)
    try:
        lesion_voxels(scan, LesionRule())
    except UserError:
        sound = 0
    return {"labels": f"{held:032x}", "mask": f"{sound:032x}"}


def admits(rule: LesionRule, held: str) -> bool:
    """Whether a rule knows every label that :func:`mask_facts` found; False also where it cannot be told."""
    if rule.lesion_labels is None or rule.other_labels == "any":
        return True
    known = {*rule.lesion_labels, *rule.other_labels, *rule.ignore_labels}
    found = {label for label in range(1, _HIGHEST + 1) if int(held, 16) >> label & 1}
    return _HIGHEST not in found and found <= known


def _among(values: NDArray[Any], labels: tuple[int, ...]) -> NDArray[np.bool_]:
    out = np.zeros_like(
        values, dtype=bool
    )  # in the file's own order, else this is many times slower
    for label in labels:
        out |= np.abs(values - label) < 0.5 if values.dtype.kind == "f" else values == label
    return out
