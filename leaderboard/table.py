"""From run records to ranked rows: which runs compare, which are seeds of one method, who is ahead."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmark.errors import unknown_name
from benchmark.records import Pooled, Protocol, RunRecord
from leaderboard.seeds import Estimate, Lines, over_seeds, subject_estimate, subject_tables

RANKING = "dice@val-dice"
SUBJECT_METRICS = (
    RANKING, "dice@val-fpr1", "dice@val-fpr5", "dice@yen", "dice@oracle",
    "sensitivity@val-dice", "precision@val-dice", "ap", "auroc", "hd95@val-dice", "assd@val-dice",
    "lesion_sensitivity@val-dice", "lesion_precision@val-dice", "lesion_f1@val-dice",
    "false_positive_lesions@val-dice", "false_positive_ml_lesion_free@val-dice",
)  # fmt: skip
FALSE_POSITIVE_RATES = {"val-fpr1": 0.01, "val-fpr5": 0.05}
"""Operating points with a nominal false-positive rate."""
POOLED_METRICS = ("ap", "auroc", "prevalence")
_IDLE = (
    ("seed",), ("device",), ("workers",), ("scoring", "batch_size"),
    *(("evaluation", key) for key in (
        "grid", "exact", "protocol", "paper_window", "paper_min_max", "bootstraps",
        "previews",
    )),
)  # fmt: skip
"""Configuration that tells no two methods apart: seeds are averaged, the others change no map and no detection."""


@dataclass(frozen=True)
class Row:
    """One method with one chain of post-processing, over all its seeds.

    Parameters
    ----------
    rank : int or None
        1 is best; equal values share the better rank; None without a rank.
    label : str
        The method's name, with what sets it apart where two rows would be called the same.
    figures : mapping of str to Estimate
        Per-subject metrics by their keys, pooled ones as ``pooled_ap``, ``pooled_auroc``, ``prevalence``.
    costs : mapping of str to float, str or None
        Seconds and calls are means over the seeds, memory is the maximum.
    reason : str or None
        Why the row has no rank.
    runs : tuple of RunRecord
        In the order of their seeds.
    """

    rank: int | None
    method: str
    label: str
    chain: str
    figures: dict[str, Estimate]
    costs: dict[str, Any]
    reason: str | None
    runs: tuple[RunRecord, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs."""
        return tuple(run.run.seed for run in self.runs)

    @property
    def oracle_gap(self) -> float | None:
        """What a threshold chosen on the test split would have gained in mean Dice."""
        best, frozen = self.figures["dice@oracle"].value, self.figures[RANKING].value
        return best - frozen if best is not None and frozen is not None else None


@dataclass(frozen=True)
class Table:
    """Runs that compare with each other, best first, unranked ones below.

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
    """

    dataset: str
    title: str
    split: str
    protocol: Protocol
    rows: tuple[Row, ...]
    differs: tuple[str, ...] = ()
    runs: tuple[RunRecord, ...] = field(default=(), repr=False)


def build_tables(records: Iterable[RunRecord], chain: str | None = None) -> list[Table]:
    """Sort records into tables of comparable runs and rank each.

    Per data set the first table is the one with the most methods (of equally many, the working grid's before the
    native grids', then the one with the newest run); runs that were measured differently follow in tables of their
    own, which say what differs. A run that was measured on two grids stands in a table of either.

    Parameters
    ----------
    records : iterable of RunRecord
        As read by :func:`benchmark.records.find_records`.
    chain : str, optional
        Show this post-processing alone.

    Raises
    ------
    UserError
        For a chain that no record has, or a table of subjects that cannot be read.
    """
    by_dataset: dict[str, list[RunRecord]] = defaultdict(list)
    for record in records:
        by_dataset[record.run.dataset] += [record.on_grid(grid) for grid in record.grids]
    chains = {name for runs in by_dataset.values() for run in runs for name in run.protocol.chains}
    if chain is not None and chain not in chains:
        raise unknown_name("chain", chain, chains)
    return [
        table for name in sorted(by_dataset) for table in _dataset_tables(by_dataset[name], chain)
    ]


def comparability(run: RunRecord) -> dict[str, str]:
    """Return everything two runs must share to stand in one table, in words, by name."""
    protocol = run.protocol
    return {
        "dataset": run.run.dataset,
        "split": run.run.split,
        "protocol": protocol.name,
        "region": protocol.region,
        "grid": protocol.grid,
        "spacing": _times(protocol.spacing_mm, " mm"),
        "shape": _times(protocol.shape),
        "post-processing": ", ".join(protocol.chains),
        "median filter": _times(protocol.median_mm, " mm"),
        "erosion": f"{protocol.erosion} voxels",
        "smallest component": f"{protocol.min_component_ml:g} ml",
        "split fingerprint": protocol.split_fingerprint[:12] or "none",
    }


def _times(numbers: tuple[float, ...] | None, unit: str = "") -> str:
    return "x".join(f"{value:.4g}" for value in numbers) + unit if numbers else "varying"


def _dataset_tables(records: list[RunRecord], chain: str | None) -> list[Table]:
    groups: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    for record in records:
        groups[tuple(comparability(record).values())].append(record)

    def weight(runs: list[RunRecord]) -> tuple[int, bool, str]:
        working = runs[0].protocol.grid == "working"
        return len({run.run.label for run in runs}), working, max(run.run.created for run in runs)

    ordered = sorted(sorted(groups.items()), key=lambda item: weight(item[1]), reverse=True)
    main = comparability(ordered[0][1][0])
    return [_table(runs, main, chain) for _, runs in ordered]


def _table(records: list[RunRecord], main: dict[str, str], chain: str | None) -> Table:
    first = records[0]
    own = comparability(first)
    differs = tuple(
        f"{name}: {own[name]} instead of {main[name]}" for name in own if own[name] != main[name]
    )
    rows: list[Row] = []
    shown: list[RunRecord] = []
    for label, runs in _methods(records):
        tables = subject_tables(runs)
        shown += runs
        rows += [
            _row(runs, tables, label, name)
            for name in first.protocol.chains
            if chain is None or name == chain
        ]
    return Table(
        first.run.dataset, first.data.title or first.run.dataset, first.run.split, first.protocol,
        tuple(ranked(rows)), differs,
        tuple(sorted(shown, key=lambda run: run.run.folder_name)),
    )  # fmt: skip


def ranked(rows: Iterable[Row]) -> list[Row]:
    """Order rows by mean Dice at ``val-dice``, best first, and number them; unranked ones come last."""

    def key(row: Row) -> tuple[bool, float, str, str]:
        value = row.figures[RANKING].value
        return row.reason is not None, -value if value is not None else 0.0, row.label, row.chain

    out: list[Row] = []
    last, rank = None, 0
    for place, row in enumerate(sorted(rows, key=key), start=1):
        value = row.figures[RANKING].value
        if row.reason is not None or value is None:
            out.append(replace(row, rank=None))
            continue
        shown = round(value, 12)  # a tie is a tie in whatever order the subjects were summed
        if shown != last:
            last, rank = shown, place
        out.append(replace(row, rank=rank))
    return out


def _methods(records: list[RunRecord]) -> list[tuple[str, list[RunRecord]]]:
    """Group the seeds of each method; return its label, made unique, and its runs by seed.

    Of several records of the same maps the newest stands for all: they differ in what else was measured.
    """
    groups: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    measured: set[tuple[str, ...]] = set()
    newest_first = sorted(records, key=lambda r: (r.run.created, r.run.identity), reverse=True)
    for record in newest_first:
        name = (record.run.method, record.run.label, record.run.preset, _settings(record))
        if record.run.maps and (*name, record.run.maps) in measured:
            continue  # the same maps, measured the same way once more
        measured.add((*name, record.run.maps))
        # the same seed twice is no second seed: something else differs, so it is another row
        copy = 0
        while record.run.seed in {other.run.seed for other in groups[(*name, str(copy))]}:
            copy += 1
        groups[(*name, str(copy))].append(record)
    runs_of = {key: sorted(runs, key=lambda r: r.run.seed) for key, runs in groups.items() if runs}
    by_label: dict[str, list[list[RunRecord]]] = defaultdict(list)
    for key, runs in runs_of.items():
        by_label[key[1]].append(runs)
    return [
        (name, runs)
        for label, same in by_label.items()
        for name, runs in zip(_distinct(label, same), same, strict=True)
    ]


def _settings(record: RunRecord) -> str:
    kept = {path: value for path, value in _flat(record.config).items() if path not in _IDLE}
    return json.dumps([[list(k), v] for k, v in sorted(kept.items())], sort_keys=True)


def _flat(config: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    out: dict[tuple[str, ...], Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            out |= _flat(value, (*path, key))
        else:
            out[(*path, key)] = value
    return out


def _distinct(label: str, groups: Sequence[list[RunRecord]]) -> list[str]:
    """Name rows of one label by what differs: preset, then the settings, at most two; else the identity."""
    if len(groups) == 1:
        return [label]
    settings = [
        {("method",): runs[0].run.method, ("preset",): runs[0].run.preset, **_flat(runs[0].config)}
        for runs in groups
    ]
    keys = [
        key
        for key in dict.fromkeys(key for values in settings for key in values)
        if key not in _IDLE and len({json.dumps(values.get(key)) for values in settings}) > 1
    ]
    names = []
    for values in settings:
        words = [f"{key[-1]}={json.dumps(values.get(key))}" for key in keys[:2]]
        names.append(f"{label} ({', '.join(words)})".replace('"', ""))
    if keys and len(set(names)) == len(names):
        return names
    return [f"{label} #{runs[0].run.identity[:8]}" for runs in groups]


def _row(runs: list[RunRecord], tables: list[Lines], label: str, chain: str) -> Row:
    figures = {metric: subject_estimate(runs, tables, chain, metric) for metric in SUBJECT_METRICS}
    pooled = [run.summary[chain].pooled if chain in run.summary else Pooled() for run in runs]
    for metric in POOLED_METRICS:
        name = metric if metric == "prevalence" else f"pooled_{metric}"
        figures[name] = over_seeds([getattr(seed, metric) for seed in pooled])
    if len(runs) == 1:
        for metric in ("ap", "auroc"):
            low, high = getattr(pooled[0], f"{metric}_low"), getattr(pooled[0], f"{metric}_high")
            name = f"pooled_{metric}"
            figures[name] = replace(figures[name], low=low, high=high)
    for name in FALSE_POSITIVE_RATES:
        points = [run.operating_points.get(chain, {}).get(name) for run in runs]
        rates = [point.test_fpr if point else None for point in points]
        figures[f"test_fpr@{name}"] = over_seeds(rates)
    costs = [run.costs for run in runs]
    memory = [cost.peak_memory_mb for cost in costs]
    known = [value for value in memory if value is not None]
    row_costs: dict[str, Any] = {
        name: _shared_or_mean([getattr(cost, name) for cost in costs])
        for name in (
            "seconds_per_volume", "network_calls_per_slice", "parameters", "training_seconds",
            "training_steps",
        )
    }  # fmt: skip
    row_costs["peak_memory_mb"] = max(known) if len(known) == len(memory) else None
    row_costs["device"] = _joined(cost.device for cost in costs)
    row_costs["healthy_source"] = _joined(run.data.healthy_source for run in runs)
    row_costs["trained_on"] = _joined(run.data.trained_on for run in runs)
    reason = _reason(runs, chain, figures[RANKING])
    return Row(None, runs[0].run.method, label, chain, figures, row_costs, reason, tuple(runs))


def _shared_or_mean(values: list[float | None]) -> float | None:
    return values[0] if len(set(values)) == 1 else over_seeds(values).value


def _joined(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(word for word in words if word))


def _reason(runs: list[RunRecord], chain: str, figure: Estimate) -> str | None:
    """Return the first thing that keeps a row from being ranked."""
    for run in runs:
        found = run.unranked
        failed = [guard for guard in run.guards if guard.passed is False]
        if found is None and failed:
            found = f"guard failed: {failed[0].name}"
        if found is None and chain not in run.summary:
            found = f"no results for {chain}"
        if found is not None:
            return f"seed {run.run.seed}: {found}" if len(runs) > 1 else found
    return None if figure.value is not None else "Dice@val-dice is undefined"
