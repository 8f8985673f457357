"""Methods across data sets: trained on one, tested on another, with thresholds frozen on a third.

A threshold belongs to a training: it is carried over only between runs of the same training (or of a method that learns
nothing), whose scores are not brought to a scale of the data set's own. Dice there is read off the score histograms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from andi_bench.metrics.mean_intervals import share_interval
from andi_bench.metrics.points import RANKING, RANKING_POINT
from andi_bench.records.schema import LESION_ML
from andi_bench.records.store import RunRecord
from andi_bench.records.validation import dice_at
from leaderboard.tables.comparability import method_of
from leaderboard.tables.pipelines import View
from leaderboard.tables.row import Row
from leaderboard.tables.seeds import Estimate, over_seeds
from leaderboard.tables.table import Table
from leaderboard.tables.trainings import in_common, scored_otherwise, training_of

DICE, AP = RANKING, "ap"


@dataclass(frozen=True)
class CrossLine:
    """One figure of one training (or method without one) on every data set.

    Parameters
    ----------
    method, trained_on : str
        The method's name; the data set it learnt from, "" for nothing.
    key : str
        Key of the figure: Dice at the point that ranks, or AP.
    threshold_from : str
        The data set on whose validation subjects the threshold was frozen; "" for each data set's own, and for AP.
    cells : tuple of Estimate
        By data set; without a value where there is no such run.
    seeds : tuple of int
        Of runs of these seeds alone, where a data set has others too; () for all there are.
    scored_otherwise : bool
        Whether the data sets' runs differ in how slices' scores become one map.
    """

    method: str
    trained_on: str
    key: str
    threshold_from: str
    cells: tuple[Estimate, ...]
    seeds: tuple[int, ...] = ()
    scored_otherwise: bool = False


@dataclass(frozen=True)
class LeftOut:
    """A method's runs that stand in no line, for they are of another training than those beside them.

    Parameters
    ----------
    method, trained_on, dataset : str
        The method's name; the data set it learnt from; the one it was tested on.
    reason : str
        In what the training differs.
    """

    method: str
    trained_on: str
    dataset: str
    reason: str


@dataclass(frozen=True)
class CrossTable:
    """What was trained on x, tested on y.

    Parameters
    ----------
    view : {"validated", "raw", "filtered"}
        What the tables show of every method.
    datasets : tuple of str
        Tested on: the columns.
    lines : tuple of CrossLine
        Method by method, training by training.
    left_out : tuple of LeftOut
        What has the name of a line and is of another training.
    """

    view: View
    datasets: tuple[str, ...]
    lines: tuple[CrossLine, ...]
    left_out: tuple[LeftOut, ...] = ()


def main_by_view(tables: Sequence[Table]) -> dict[View, list[Table]]:
    """Return the data sets' main tables, view by view."""
    out: dict[View, list[Table]] = defaultdict(list)
    for table in tables:
        if not table.differs:
            out[table.view].append(table)
    return dict(out)


def by_method(table: Table) -> dict[str, Row]:
    """Return the ranked rows by the method's name, as it is the same in other data sets' tables.

    Of a method that was trained on several data sets the row that learnt from the table's own, or the only one; else none.
    """
    found: dict[str, list[Row]] = defaultdict(list)
    for (name, _), row in _named(table).items():
        if row.rank is not None:
            found[name].append(row)
    out = {}
    for name, rows in found.items():
        own = [row for row in rows if _trained_on(row) == table.dataset] or rows
        if len(own) == 1:
            out[name] = own[0]
    return out


def cross_tables(tables: Sequence[Table], *, carried: bool = False) -> tuple[CrossTable, ...]:
    """Return what was tested on several data sets, view by view; () without two data sets that share a method.

    Parameters
    ----------
    tables : sequence of Table
        Of which the data sets' main ones count.
    carried : bool
        Also carry thresholds over, which reads the histograms.

    Raises
    ------
    UserError
        When the histograms of a record cannot be read.
    """
    out = []
    for view, main in main_by_view(tables).items():
        found = _crossed(view, main, carried)
        out += [found] if found.lines else []
    return tuple(out)


def _crossed(view: View, main: Sequence[Table], carried: bool) -> CrossTable:
    named = [_named(table) for table in main]
    keys = sorted(dict.fromkeys(key for own in named for key in own))
    shared = {key: in_common([own.get(key) for own in named], (DICE, AP)) for key in keys}
    tested: dict[str, set[int]] = defaultdict(set)
    for (method, _), found in shared.items():
        tested[method] |= {place for place, row in enumerate(found.rows) if row is not None}
    lines: list[CrossLine] = []
    left_out: list[LeftOut] = []
    for (method, trained_on), found in shared.items():
        left_out += [
            LeftOut(method, trained_on, main[place].dataset, why) for place, why in found.left_out
        ]
        if len(tested[method]) > 1 and any(found.rows):
            own = _lines(method, trained_on, found.rows, main, carried)
            otherwise = scored_otherwise(found.rows)
            lines += [replace(one, seeds=found.seeds, scored_otherwise=otherwise) for one in own]
    return CrossTable(view, tuple(table.dataset for table in main), tuple(lines), tuple(left_out))


def _named(table: Table) -> dict[tuple[str, str], Row]:
    """Return the rows by the method's name and what it was trained on."""
    labels: dict[str, list[Row]] = defaultdict(list)
    for row in table.rows:
        labels[row.runs[0].run.label].append(row)
    out: dict[tuple[str, str], Row] = {}
    for label, rows in labels.items():
        # several settings of one method: then what tells them apart is part of the name
        alone = len({_trained_on(row) for row in rows}) == len(rows)
        out |= {(label if alone else row.label, _trained_on(row)): row for row in rows}
    return out


def _trained_on(row: Row) -> str:
    return str(row.costs["trained_on"])


def _lines(
    method: str,
    trained_on: str,
    rows: Sequence[Row | None],
    tables: Sequence[Table],
    carried: bool,
) -> Iterator[CrossLine]:
    own = _figures(rows, DICE)
    yield CrossLine(method, trained_on, DICE, "", own)
    if carried:
        for place, source in enumerate(rows):
            if source is None:
                continue
            cells = tuple(
                own[k] if k == place else _carried(row, source) if row is not None else Estimate()
                for k, row in enumerate(rows)
            )
            if any(cell.value is not None for k, cell in enumerate(cells) if k != place):
                yield CrossLine(method, trained_on, DICE, tables[place].dataset, cells)
    yield CrossLine(method, trained_on, AP, "", _figures(rows, AP))


def _figures(rows: Sequence[Row | None], key: str) -> tuple[Estimate, ...]:
    return tuple(Estimate() if row is None else row.figures[key] for row in rows)


def _carried(row: Row, source: Row) -> Estimate:
    """Return mean Dice at the thresholds that the source's validation subjects gave; nothing where they cannot be carried over."""
    runs = row.runs if row.chance else row.runs[:1]
    by_seed = []
    for run in runs:
        origin = next((other for other in source.runs if _carries(other, run)), None)
        point = origin and origin.operating_points.get(source.chain, {}).get(RANKING_POINT.name)
        # an incomplete run has no values
        if not point or point.threshold is None or not row.values.get(LESION_ML):
            return Estimate()
        by_seed.append(dice_at(run, source.chain, point.threshold))
    shared = sorted(set.intersection(*map(set, by_seed)))
    if not shared:
        return Estimate()
    found = over_seeds([fmean(seed[name] for name in shared) for seed in by_seed])
    limits = share_interval(np.array([[seed[name] for seed in by_seed] for name in shared]))
    if limits is None:
        return found
    return Estimate(found.value, *limits, seed_sd=found.seed_sd)


def _carries(origin: RunRecord, run: RunRecord) -> bool:
    """Whether a threshold of one run means something for the scores of another."""
    return (
        origin.run.seed == run.run.seed
        and method_of(origin) == method_of(run)
        and training_of(origin) == training_of(run)
        and origin.method.calibration == run.method.calibration
        and not _own_scale(origin)
        and not _own_scale(run)
        and not run.protocol.min_component_ml
        and origin.protocol.region == run.protocol.region
    )


def _own_scale(run: RunRecord) -> bool:
    """Whether scores are brought to a scale that the data set's own validation subjects settle."""
    scoring = run.config.get("scoring")
    return isinstance(scoring, dict) and scoring.get("calibration", "none") != "none"
