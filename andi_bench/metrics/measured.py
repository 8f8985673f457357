"""What is measured, and by which code: part of what a result is named by.

A metric or an operating point that was added or changed must be measured again on maps that are there already; otherwise
old numbers would stand for new definitions.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

from andi_bench.metrics.catalogue import CATALOGUE
from andi_bench.metrics.points import POINTS
from andi_bench.metrics.threshold_spread import resampled_thresholds


def measured() -> dict[str, str]:
    """Return for every metric and every operating point a hash of what it comes to, 12 hexadecimal digits.

    In it: over whom and where a metric is measured, a point's source and rate, and the text of the functions that they
    name. What these call in turn is named by ``benchmark.evaluation.protocol.VERSION``.
    """
    found = {}
    for key, metric in CATALOGUE.items():
        found[f"metric {key}"] = _hash(
            metric.over, metric.at, metric.counted, metric.ratio, _text(metric.measure)
        )
    for name, point in POINTS.items():
        functions = (_text(point.search), _text(point.detect))
        found[f"point {name}"] = _hash(point.source, point.rate, *functions)
    return found


def measured_in_records() -> dict[str, str]:
    """Return the same, and what a record says beside: how validation subjects are resampled."""
    return {**measured(), "threshold spread": _hash(_text(resampled_thresholds))}


def _text(function: Callable[..., Any] | None) -> str:
    if function is None:
        return ""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # made at run time, or built in
        return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"


def _hash(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=6).hexdigest()
