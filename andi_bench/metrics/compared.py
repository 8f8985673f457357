"""What tables compare: the metrics of the catalogue, each at the operating points where tables show it."""

from __future__ import annotations

from andi_bench.errors import UserError, unknown_name
from andi_bench.metrics.catalogue import CATALOGUE, over_all_lesions, per_subject
from andi_bench.metrics.metric import Metric, MetricAt
from andi_bench.metrics.points import POINTS, RANKING, RANKING_POINT


def compared_of(metric: Metric) -> list[MetricAt]:
    """Return a metric at the points where tables show it: none for what only the record has."""
    if "exports" not in metric.shown:
        return []
    if metric.at == "map":
        return [MetricAt(metric)]
    if metric.at_every_point or metric.at == "rated":
        return [MetricAt(metric, point) for point in POINTS.values() if metric.is_at(point)]
    return [MetricAt(metric, RANKING_POINT)]


def compared_per_subject() -> list[MetricAt]:
    """Return what tables compare of the subjects, in the order of the exports."""
    ordered = sorted(per_subject(), key=lambda metric: metric.over == "lesion-free")
    return [found for metric in ordered for found in compared_of(metric)]


def compared_counted() -> list[MetricAt]:
    """Return what tables compare of all subjects' lesions together."""
    return [found for metric in over_all_lesions() for found in compared_of(metric)]


def compared_pooled() -> list[MetricAt]:
    """Return what tables compare over all voxels together, without a threshold."""
    pooled = [metric for metric in CATALOGUE.values() if metric.over == "pooled"]
    return [found for metric in pooled if metric.at == "map" for found in compared_of(metric)]


def compared_of_scans() -> list[MetricAt]:
    """Return what tables compare of the scans as wholes, and of all lesions over all thresholds."""
    found = [metric for metric in CATALOGUE.values() if metric.over in ("scans", "lesions")]
    return [one for metric in found for one in compared_of(metric)]


def compared_rates() -> list[MetricAt]:
    """Return the false-positive rates on the test subjects at the points that have a nominal one."""
    return compared_of(CATALOGUE["test_fpr"])


def compared_in_groups() -> list[MetricAt]:
    """Return what tables compare of a sub-group's subjects: what ranks, then metrics of the map, then the others."""
    found = [
        one
        for one in compared_per_subject()
        if "groups" in one.metric.shown and one.point in (None, RANKING_POINT)
    ]
    return sorted(found, key=lambda one: (one.key != RANKING, one.point is not None))


def compared() -> dict[str, MetricAt]:
    """Return everything that tables compare, by key, in the order of the exports."""
    parts = (
        *compared_per_subject(),
        *compared_counted(),
        *compared_of_scans(),
        *compared_pooled(),
        *compared_rates(),
    )
    return {found.key: found for found in parts}


def metric_at(key: str) -> MetricAt:
    """Return what a table compares under a key.

    Raises
    ------
    KeyError
        For a key that no table has.
    """
    return compared()[key]


def title_of(key: str) -> str:
    """Return the title of what a table compares under a key."""
    return metric_at(key).title


def ranking_metric(key: str) -> str:
    """Return the key of a metric that may rank, such as ``ap``.

    Raises
    ------
    UserError
        For a key that is unknown, with the nearest one, or a metric that never ranks, with the reason.
    """
    known = compared()
    if key not in known:
        ranks = {name for name, found in known.items() if not found.unranked}
        raise unknown_name("metric", key, ranks)
    if known[key].unranked:
        raise UserError(f"metric '{key}' never ranks: {known[key].unranked}")
    return key


def tested_metric(key: str) -> str:
    """Return the per-subject metric that tests and ranking schemes use where this one ranks."""
    found = metric_at(key).metric
    return found.field if found.over == "pooled" else key
