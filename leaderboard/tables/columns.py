"""The columns of a leaderboard: what each shows, and what it means; those of metrics come from the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from andi_bench.metrics.catalogue import CATALOGUE
from andi_bench.metrics.compared import compared_of, compared_rates, metric_at, title_of
from andi_bench.metrics.metric import Metric, MetricAt
from andi_bench.metrics.points import RANKING, RANKING_POINT, UPPER_BOUND
from andi_bench.records.schema import LESION_ML
from leaderboard.tables.cells import (
    NO_SEED,
    NOTHING,
    Cell,
    Column,
    number,
    signed,
    significant,
    whole,
    with_interval,
)
from leaderboard.tables.references import FAMILY
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table


def columns_of(table: Table) -> list[Column]:
    """Columns that have something to say in a table, in order; what ranks is never left out."""
    columns = [
        column for column in all_columns(table.metric) if column.only is None or column.only(table)
    ]
    own = next((column for column in columns if column.metric == table.metric), None)
    if own is None:
        found = metric_at(table.metric)
        text = (
            f"The record's {table.metric}, mean over subjects, with its 95 % interval. Ranks here."
        )
        points = (found.point.name,) if found.point is not None else ()
        own = Column(found.title, text, _interval(found), 0, metric=found.key, points=points)
        place = next(k for k, column in enumerate(columns) if column.header == "Seeds")
        columns.insert(place + 1, own)
    return [replace(column, priority=0) if column is own else column for column in columns]


def all_columns(metric: str = RANKING) -> list[Column]:
    """Return every column, whether or not a table has something to say there.

    Parameters
    ----------
    metric : str
        What ranks.
    """
    of_metrics = [column for found in CATALOGUE.values() for column in _of_metric(found)]
    return [*_of_row(metric), *of_metrics, *(replace(column, cost=True) for column in _OF_COSTS)]


def _of_row(metric: str) -> Iterator[Column]:
    ranks = title_of(RANKING)
    text = f"Rank by {ranks}, best first; equal values share a rank. A method stands in the table once."
    if metric != RANKING:
        text = f"Rank by {title_of(metric)}, asked for instead of {ranks}, by which the protocol ranks; best first."
    yield Column("#", text, _rank, 0)
    yield Column(
        "Method",
        "The method; 'reference': no entrant, but what entrants are held against.",
        _name,
        0,
        number=False,
        names=True,
    )
    yield Column(
        "Pipeline",
        "Post-processing of the anomaly maps: raw, or filtered by a 3-D median of so many millimetres (voxels where no unit is "
        "given), the same for all methods; of the two the one with the higher Dice on the validation split, unless the table is "
        "of raw or of filtered maps alone.",
        lambda row: Cell(row.chain) if row.chain else NOTHING,
        0,
        number=False,
    )
    yield Column(
        "Group",
        "Letters: rows that share one cannot be told apart by the tests (5 % within the family), which is no proof that they "
        "are equal.",
        lambda row: Cell(row.group) if row.group else NOTHING,
        0,
        number=False,
        only=lambda table: any(row.group for row in table.rows),
    )
    yield Column(
        "Seeds",
        "Seeds of the runs behind the row; with one, intervals and tests are about that training alone. "
        f"'{NO_SEED}': nothing in the method is left to chance.",
        _seeds,
        8,
        number=False,
    )


def _of_metric(metric: Metric) -> Iterator[Column]:
    """Yield the columns of a metric; none where tables do not show it."""
    if "column" not in metric.shown:
        return
    if metric.at == "rated":
        yield _of_rates(metric)
        return
    for found in sorted(compared_of(metric), key=_place):
        if found.key == RANKING:
            yield from _of_ranking(found)
        elif found.point is not None and metric.at_every_point:
            if found.point != UPPER_BOUND:  # stands beside what ranks
                yield _at_point(found)
        else:
            yield _of_one(found)


def _place(found: MetricAt) -> tuple[bool, float]:
    """Order the points of a metric: what ranks, then the rates from the loosest, then the others."""
    rate = found.point.rate if found.point is not None else None
    return found.key != RANKING, -(rate or 0.0)


def _of_ranking(found: MetricAt) -> Iterator[Column]:
    metric, title, name = found.metric, found.title, RANKING_POINT.name
    yield Column(
        title,
        f"Mean per-subject {metric.definition} at {RANKING_POINT.where}; in brackets the 95 % interval "
        f"(Student's t on the logit). {metric.empty} Ranks. With several seeds: the mean over seeds, and the interval of the method, over subjects "
        "and seeds; with one seed that of this training, over subjects.",
        _interval(found),
        RANKING_POINT.priority,
        narrow=_narrowed(title),
        metric=found.key,
        points=(name,),
    )
    yield Column(
        "SD over seeds",
        f"Standard deviation of {title} over the seeds: a part of the interval. '{NO_SEED}': nothing in the method is left "
        "to chance.",
        _seed_sd,
        2,
        only=lambda table: any(len(row.by_seed) > 1 for row in table.rows),
        narrow="SD over\nseeds",
        points=(name,),
    )
    yield Column(
        f"Median {metric.name}",
        f"Median over subjects of {title}; with several seeds of the subjects' means over them.",
        lambda row: _value(row.figures[RANKING].median),
        7,
        narrow=f"Median\n{metric.name}",
    )
    yield Column(
        f"({UPPER_BOUND.name}, gap)",
        f"Mean {metric.name} at {UPPER_BOUND.where}, and what it gains over {title}. An upper bound that no user can reach "
        "without the answers: it never ranks.",
        _upper_bound,
        UPPER_BOUND.priority,
        narrow=f"({UPPER_BOUND.name},\ngap)",
        points=(UPPER_BOUND.name, name),
    )


def _at_point(found: MetricAt) -> Column:
    assert found.point is not None
    return Column(
        found.title,
        f"Mean {found.metric.name} at {found.point.where}.",
        _interval(found),
        found.point.priority,
        narrow=_narrowed(found.title),
        metric=found.key,
        points=(found.point.name,),
    )


def _of_one(found: MetricAt) -> Column:
    metric = found.metric
    return Column(
        found.title,
        metric.definition,
        _interval(found),
        metric.priority,
        narrow=_narrowed(found.title),
        metric=found.key,
        only={"lesion-free": _has_lesion_free, "scans": _has_lesion_free}.get(metric.over),
        points=(found.point.name,) if found.point is not None else (),
        headline=metric.headline,
    )


def _has_lesion_free(table: Table) -> bool:
    return any(
        volume == 0 for row in table.rows for volume in row.values.get(LESION_ML, {}).values()
    )


def _of_rates(metric: Metric) -> Column:
    found = compared_rates()
    points = [one.point for one in found if one.point is not None]
    shares = [f"{100 * (point.rate or 0.0):g} %" for point in points]
    header = f"{metric.title} ({', '.join(shares)})"

    def cell(row: Row) -> Cell:
        known = [row.figures[one.key].value for one in found]
        rates = [rate for rate in known if rate is not None]
        if not rates or len(rates) < len(known):
            return NOTHING
        return Cell(", ".join(f"{100 * rate:.2g} %" for rate in rates), rates[0])

    return Column(
        header,
        f"Share of the lesion-free brain voxels of the test split above {_listed([p.name for p in points])}, thresholds "
        f"meant to let {_listed(shares)} pass: how well a rate frozen on the validation split holds.",
        cell,
        metric.priority,
        only=lambda table: bool(points),
        narrow=_narrowed(header),
        metric=found[0].key if found else "",
        points=tuple(point.name for point in points),
    )


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _narrowed(header: str) -> str:
    """Break a head into two lines: before the operating point, the unit, or after the first word."""
    for mark, kept in (("@", "@"), (" (", "("), (", ", ""), (" ", "")):
        head, found, rest = header.partition(mark)
        if found:
            return f"{head}\n{kept}{rest}"
    return ""


def _value(value: float | None, form: str = ".3f") -> Cell:
    return Cell(number(value, form), value)


def _interval(found: MetricAt) -> Callable[[Row], Cell]:
    def cell(row: Row) -> Cell:
        figure = row.figures[found.key]
        return Cell(with_interval(figure, found.metric.digits), figure.value)

    return cell


def _rank(row: Row) -> Cell:
    return NOTHING if row.rank is None else Cell(str(row.rank), float(row.rank))


def _name(row: Row) -> Cell:
    return Cell(f"{row.label} ({FAMILY})" if row.reference else row.label)


def _seeds(row: Row) -> Cell:
    if not row.runs:
        return NOTHING
    return Cell(", ".join(str(seed) for seed in row.seeds) if row.chance else NO_SEED)


def _seed_sd(row: Row) -> Cell:
    if row.chance or not row.runs:
        return _value(row.figures[RANKING].seed_sd)
    return Cell(NO_SEED)


def _upper_bound(row: Row) -> Cell:
    value, gap = row.upper_bound.value, row.oracle_gap
    if value is None or gap is None:
        return NOTHING
    return Cell(f"({with_interval(row.upper_bound)}, {signed(gap)})", value)


def _cost(key: str, form: Callable[[Any], str]) -> Callable[[Row], Cell]:
    def cell(row: Row) -> Cell:
        found = row.costs.get(key)
        if found in (None, ""):
            return NOTHING
        return Cell(form(found), None if isinstance(found, str) else float(found))

    return cell


def _training(row: Row) -> Cell:
    seconds, steps = row.costs.get("training_seconds"), row.costs.get("training_steps")
    if seconds is None and steps is None:
        return NOTHING
    return Cell(f"{number(seconds, ',.0f')} / {number(steps, ',.0f')}", seconds)


_OF_COSTS: tuple[Column, ...] = (
    Column(
        "s/volume",
        "Seconds to score one volume, without reading and post-processing; of several seeds the shortest.",
        _cost("seconds_per_volume", significant),
        3,
        narrow="s/\nvolume",
    ),
    Column(
        "Memory (MiB)",
        "Peak memory while scoring, of the accelerator or else of the process.",
        _cost("peak_memory_mb", whole),
        10,
        narrow="Memory\n(MiB)",
    ),
    Column(
        "Calls/slice",
        "How often the network is applied per slice.",
        _cost("network_calls_per_slice", significant),
        10,
        narrow="Calls\n/slice",
    ),
    Column(
        "Parameters",
        "Learnt parameters of the network; 0 without one.",
        _cost("parameters", whole),
        10,
    ),
    Column(
        "Training (s / steps)",
        "Wall-clock seconds and optimiser steps of the training; of several seeds the shortest.",
        _training,
        11,
        narrow="Training\n(s / steps)",
    ),
    Column(
        "Healthy slices from",
        "Where the healthy training slices come from: lesion-free slices of patients, or healthy people.",
        _cost("healthy_source", str),
        11,
        number=False,
        narrow="Healthy\nslices from",
    ),
    Column("Device", "What the volumes were scored on.", _cost("device", str), 13, number=False),
)
