"""From run records to ranked rows: which runs compare, who is ahead, and who has no rank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from andi_bench.metrics.compared import (
    compared_counted,
    compared_per_subject,
    compared_pooled,
    compared_rates,
    metric_at,
    tested_metric,
    title_of,
)
from andi_bench.metrics.points import RANKING
from andi_bench.records.schema import LESION_FREE_APART, LESION_ML
from andi_bench.records.store import Pooled, Protocol, RunRecord
from leaderboard.tables.comparability import (
    DATA,
    MODALITIES,
    comparability,
    comparable,
    measured_anew,
    methods_of,
)
from leaderboard.tables.pipelines import (
    VALIDATED,
    Choice,
    View,
    chain_of,
    chosen_pipeline,
    views_of,
)
from leaderboard.tables.references import as_reference, computed_references, is_reference
from leaderboard.tables.row import Row
from leaderboard.tables.scan_estimates import scan_estimates
from leaderboard.tables.seeds import (
    Estimate,
    counted_estimate,
    over_seeds,
    pooled_estimate,
    shortest,
    subject_estimates,
)
from leaderboard.tables.subject_values import SubjectTable, over_the_seeds, subject_tables

_TIMES = ("seconds_per_volume", "training_seconds")
_MEAN_COSTS = ("network_calls_per_slice", "parameters", "training_steps")


@dataclass(frozen=True)
class Table:
    """Runs that compare with each other, one row a method: best first, unranked ones below.

    Parameters
    ----------
    dataset, title : str
        The data set's name and its name in words.
    split : str
        The scored split.
    protocol : Protocol
        What all runs of the table share.
    differs : tuple of str
        In what the table differs from the data set's main table; () for the main one.
    metric : str
        What ranks.
    view : {"validated", "raw", "filtered"}
        Which pipeline of every method stands in the rows.
    every : tuple of Row
        Every method with every pipeline, without ranks: a method's rows never stand in one ranking.
    references : tuple of Row
        What the rows are held against (:mod:`leaderboard.tables.references`); no entrants.
    every_reference : tuple of Row
        The same with every pipeline.
    """

    dataset: str
    title: str
    split: str
    protocol: Protocol
    rows: tuple[Row, ...]
    differs: tuple[str, ...] = ()
    runs: tuple[RunRecord, ...] = field(default=(), repr=False)
    metric: str = RANKING
    view: View = VALIDATED
    every: tuple[Row, ...] = field(default=(), repr=False)
    references: tuple[Row, ...] = ()
    every_reference: tuple[Row, ...] = field(default=(), repr=False)

    @property
    def shown(self) -> tuple[Row, ...]:
        """The rows, and below them the references."""
        return self.rows + self.references

    @property
    def views(self) -> tuple[View, ...]:
        """The views that there are of these runs."""
        return views_of(self.protocol)

    def seen_as(self, view: View) -> Table:
        """Return the table of the same runs with other pipelines in its rows, ranked among themselves."""

        def seen(rows: Iterable[Row]) -> list[Row]:
            # a reference that was computed from the masks has no pipeline
            return [
                row
                for row in rows
                if not row.runs or row.chain == chain_of(view, row.choice, self.protocol)
            ]

        rows = tuple(ranked(seen(self.every), self.metric))
        return replace(self, view=view, rows=rows, references=tuple(seen(self.every_reference)))


def build_tables(
    records: Iterable[RunRecord],
    metric: str = RANKING,
    *,
    older: bool = False,
) -> list[Table]:
    """Sort records into tables of comparable runs and rank each, every method with the pipeline that validation chose.

    Per data set the first table is, of the latest version of the protocol, the one with the most methods (of equally many, the working grid's before the
    native grids', then the one with the newest run); runs that were measured differently follow in tables of their
    own, which say what differs. A run that was measured on two grids stands in a table of either.

    Parameters
    ----------
    records : iterable of RunRecord
        As read by :func:`andi_bench.records.search.find_records`.
    metric : str
        What ranks; see :func:`andi_bench.metrics.compared.ranking_metric`.
    older : bool
        Whether records of the same maps, of earlier data and of earlier versions of the protocol have rows of their own.

    Raises
    ------
    UserError
        When a table of subjects, or a record's histograms, cannot be read.
    """
    by_dataset: dict[str, list[RunRecord]] = defaultdict(list)
    for record in records:
        by_dataset[record.run.dataset] += [record.on_grid(grid) for grid in record.grids]
    return [
        table
        for name in sorted(by_dataset)
        for table in _dataset_tables(by_dataset[name], metric, older)
    ]


def _dataset_tables(records: list[RunRecord], metric: str, older: bool) -> list[Table]:
    groups = comparable(records if older else measured_anew(records))

    def weight(runs: list[RunRecord]) -> tuple[int, int, bool, str]:
        protocol, methods = runs[0].protocol, len({run.run.label for run in runs})
        newest = max(run.run.created for run in runs)
        return protocol.version, methods, protocol.grid == "working", newest

    ordered = sorted(sorted(groups.items()), key=lambda item: weight(item[1]), reverse=True)
    main = comparability(ordered[0][1][0])
    return [_table(runs, main, metric, older) for _, runs in ordered]


def _table(records: list[RunRecord], main: dict[str, str], metric: str, older: bool) -> Table:
    first = records[0]
    own = comparability(first)
    differs = tuple(
        f"{name}: {own[name]} instead of {main[name]}"
        for name in own
        # on other modalities, other files are read: that is said once
        if own[name] != main[name] and not (name == DATA and own[MODALITIES] != main[MODALITIES])
    )
    rows: list[Row] = []
    shown: list[RunRecord] = []
    for label, runs in methods_of(records, older=older):
        tables = subject_tables(runs)
        choice = chosen_pipeline(runs, first.protocol.chains)
        shown += runs
        rows += [
            _row(runs, tables, (label, name), metric, choice) for name in first.protocol.chains
        ]
    entrants = [row for row in rows if not is_reference(row.runs[0])]
    others = [as_reference(row) for row in rows if is_reference(row.runs[0])]
    if not entrants:  # a table of references alone still has rows
        entrants, others = others, []
    table = Table(
        dataset=first.run.dataset,
        title=first.data.title or first.run.dataset,
        split=first.run.split,
        protocol=first.protocol,
        rows=(),
        differs=differs,
        runs=tuple(sorted(shown, key=lambda run: run.run.folder_name)),
        metric=metric,
        every=tuple(sorted(entrants, key=lambda row: row.label)),
        every_reference=(*computed_references(records), *others),
    )
    return table.seen_as(VALIDATED)


def with_findings(
    table: Table,
    limits: Mapping[tuple[str, str], tuple[float, float]],
    letters: Mapping[tuple[str, str], str],
) -> Table:
    """Fill in what the statistics found: limits of pooled average precision, from the records' histograms, and groups."""

    def filled(row: Row) -> Row:
        row = replace(row, group=letters.get(row.key, ""))
        figure = row.figures["pooled_ap"]
        if figure.value is None or row.key not in limits:
            return row
        low, high = limits[row.key]
        return replace(
            row, figures={**row.figures, "pooled_ap": replace(figure, low=low, high=high)}
        )

    return replace(table, rows=tuple(map(filled, table.rows)))


def ranked(rows: Iterable[Row], metric: str = RANKING) -> list[Row]:
    """Order rows by a metric, best first, and number them; unranked ones come last."""
    sign = metric_at(metric).sign

    def key(row: Row) -> tuple[bool, float, str, str]:
        value = row.figures[metric].value
        worth = -sign * value if value is not None else 0.0
        return row.reason is not None, worth, row.label, row.chain

    out: list[Row] = []
    last, rank = None, 0
    for place, row in enumerate(sorted(rows, key=key), start=1):
        value = row.figures[metric].value
        if row.reason is not None or value is None:
            out.append(replace(row, rank=None))
            continue
        shown = round(value, 12)  # a tie is a tie in whatever order the subjects were summed
        if shown != last:
            last, rank = shown, place
        out.append(replace(row, rank=rank))
    return out


def _undefined(runs: list[RunRecord], chain: str, metric: str) -> str:
    title = title_of(metric)
    found = [run.summary[chain].subjects for run in runs if chain in run.summary]
    if "@" in metric and all(metric not in subjects for subjects in found):
        return f"{title} was not measured: run again, which measures the maps that are there"
    return f"{title} is undefined"


def _row(
    runs: list[RunRecord],
    tables: list[SubjectTable],
    key: tuple[str, str],
    metric: str,
    choice: Choice,
) -> Row:
    label, chain = key
    figures = _figures(runs, tables, chain)
    values = {
        found.key: over_the_seeds([table.values(chain, found) for table in tables])
        for found in compared_per_subject()
    }
    values[LESION_ML] = over_the_seeds([table.column(chain, LESION_ML) for table in tables])
    tested = metric_at(tested_metric(metric))
    by_seed = tuple(table.values(chain, tested) for table in tables)
    chance = _by_chance(runs, tables, chain)
    reason = _reason(runs, chain)
    missing = next(filter(None, (_incomplete(run, chain) for run in runs)), None)
    if missing is not None:
        # what is there is not averaged: the missing subjects may be the hard ones
        figures, values = {name: Estimate() for name in figures}, {name: {} for name in values}
        by_seed = ()
        reason = reason or missing
    elif reason is None and figures[metric].value is None:
        reason = _undefined(runs, chain, metric)
    if not chance:  # several seeds are one: nothing spreads over them
        by_seed = by_seed[:1]
        figures = {key: replace(figure, seed_sd=None) for key, figure in figures.items()}
    return Row(
        rank=None,
        method=runs[0].run.method,
        label=label,
        chain=chain,
        figures=figures,
        costs=_costs(runs),
        reason=reason,
        runs=tuple(runs),
        choice=choice,
        values=values,
        by_seed=by_seed,
        chance=chance,
    )


def _by_chance(runs: Sequence[RunRecord], tables: Sequence[SubjectTable], chain: str) -> bool:
    """Whether another seed could have given other maps, as far as the records tell."""
    if len(runs) > 1 and len(tables) == len(runs):
        return any(
            table.values(chain, found) != tables[0].values(chain, found)
            for table in tables[1:]
            for found in compared_per_subject()
        )
    return any(_may_vary(run) for run in runs)


def _may_vary(run: RunRecord) -> bool:
    """Whether another seed may give other maps: as the method's file says, or by what it learns from and applies."""
    if run.method.chance is not None:
        return run.method.chance
    return run.method.learns_from != "nothing" or run.costs.network_calls_per_slice != 0


def _figures(
    runs: Sequence[RunRecord], tables: Sequence[SubjectTable], chain: str
) -> dict[str, Estimate]:
    """Return everything that tables compare, of one method with one chain."""
    figures = subject_estimates(runs, tables, chain, compared_per_subject())
    for found in compared_counted():
        figures[found.key] = counted_estimate(tables, chain, found)
    figures |= scan_estimates(runs, tables, chain)
    pooled = [run.summary[chain].pooled if chain in run.summary else Pooled() for run in runs]
    for found in compared_pooled():
        figures[found.key] = pooled_estimate(pooled, found.metric.field)
    for found in compared_rates():
        assert found.point is not None
        points = [run.operating_points.get(chain, {}).get(found.point.name) for run in runs]
        figures[found.key] = over_seeds([point.test_fpr if point else None for point in points])
    return figures


def _costs(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return what the seeds of a method cost: the shortest times, means, the largest memory, and words."""
    costs = [run.costs for run in runs]
    memory = [cost.peak_memory_mb for cost in costs]
    known = [value for value in memory if value is not None]
    out: dict[str, Any] = {
        name: _shared_or_mean([getattr(cost, name) for cost in costs]) for name in _MEAN_COSTS
    }
    for name in _TIMES:
        out[name] = shortest(getattr(cost, name) for cost in costs)
    out["peak_memory_mb"] = max(known) if len(known) == len(memory) else None
    out["device"] = _joined(cost.device for cost in costs)
    out["healthy_source"] = _joined(run.data.healthy_source for run in runs)
    out["trained_on"] = _joined(run.data.trained_on for run in runs)
    return out


def _shared_or_mean(values: list[float | None]) -> float | None:
    return values[0] if len(set(values)) == 1 else over_seeds(values).value


def _joined(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(word for word in words if word))


def _reason(runs: list[RunRecord], chain: str) -> str | None:
    """Return the first thing that keeps a row from being ranked; with its seed, unless all seeds share it."""
    found = [_reason_of(run, chain) for run in runs]
    first = next((reason for reason in found if reason is not None), None)
    if first is None or found.count(first) == len(runs):
        return first
    return f"seed {runs[found.index(first)].run.seed}: {first}"


def _reason_of(run: RunRecord, chain: str) -> str | None:
    failed = [guard for guard in run.guards if guard.passed is False]
    if run.unranked is not None:
        return run.unranked
    if failed:
        return f"guard failed: {failed[0].name}"
    return f"no results for {chain}" if chain not in run.summary else None


def _incomplete(run: RunRecord, chain: str) -> str | None:
    """Say so where a run lacks subjects of the split that its protocol counts."""
    wanted = run.protocol.subjects.get(run.run.split)
    results = run.summary.get(chain)
    if wanted is None or results is None:
        return None
    counts: dict[str, int] = defaultdict(int)
    for name, part in results.subjects.items():
        metric, _, point = name.partition("@")
        # one over the subjects with a lesion, one over the others; records of before have all in the first
        if metric == "dice" or (
            metric == "any_detection_lesion_free" and run.protocol.version >= LESION_FREE_APART
        ):
            counts[point] += part.n + part.undefined
    found = max(counts.values(), default=0)
    if found >= wanted:
        return None
    return f"incomplete: seed {run.run.seed} has {found} of {wanted} subjects"
