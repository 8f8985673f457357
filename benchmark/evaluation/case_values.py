"""One case measured by every metric of the catalogue: a map, a detection, and detections that look at no scan."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.metrics.case import Case
from andi_bench.metrics.catalogue import per_subject
from andi_bench.metrics.metric import Metric
from andi_bench.metrics.points import RANKING_POINT, OperatingPoint
from andi_bench.records.schema import EVERYTHING, LESION_ML, NOTHING

Row = dict[str, Any]


def map_values(case: Case) -> Row:
    """Return the metrics of a map itself, by column of ``subjects.csv``."""
    return {m.field: _value(m, case) for m in per_subject() if m.at == "map"}


def point_values(case: Case, point: OperatingPoint) -> Row:
    """Return the metrics at an operating point, by column of ``subjects.csv``."""
    return {m.field: _value(m, case) for m in per_subject() if m.is_at(point)}


def _value(metric: Metric, case: Case) -> float | None:
    assert metric.measure is not None
    try:
        return metric.measure(case)
    except ArithmeticError as error:
        raise UserError(
            f"metric '{metric.key}': {type(error).__name__}: {error}: None wanted where it is undefined"
        ) from error


def reference_rows(
    subject: str,
    brain: NDArray[np.bool_],
    lesion: NDArray[np.bool_],
    spacing: tuple[float, float, float],
) -> dict[str, Row]:
    """Measure the references on one subject.

    Parameters
    ----------
    subject : str
        Its name.
    brain, lesion : bool (X, Y, Z)
        Where voxels count; the lesion in it.
    spacing : (float, float, float)
        Voxel edges, mm.

    Returns
    -------
    dict
        By name, a line as in ``subjects.csv``.
    """
    flat = np.zeros(brain.shape, dtype=np.float32)
    out = {}
    for name, detection in ((NOTHING, np.zeros_like(brain)), (EVERYTHING, brain)):
        case = Case(flat, brain, lesion, spacing, detection)
        out[name] = {
            "subject": subject,
            LESION_ML: float(lesion.sum()) * case.voxel_ml,
            "point": RANKING_POINT.name,
            **map_values(case),
            **point_values(case, RANKING_POINT),
        }
    return out
