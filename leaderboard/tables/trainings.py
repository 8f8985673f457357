"""Which trainings the rows of several data sets have in common: figures stand side by side where the weights are the same."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from andi_bench.metrics.compared import metric_at
from andi_bench.records.store import RunRecord
from leaderboard.tables.comparability import scoring_of
from leaderboard.tables.row import Row
from leaderboard.tables.seeds import subject_estimates
from leaderboard.tables.subject_values import subject_tables

Training = tuple[str, int | None]
"""What was trained, and from which seed; None where seeds change nothing."""

OTHER_SEEDS = "no seed in common"
_WORDS = {"streams_version": "the order of random numbers", "slices": "the slices learnt from"}
"""Settings whose names say little."""
_NAMED = 3
"""More settings than these are not named."""


@dataclass(frozen=True)
class Shared:
    """The rows of one method on several data sets, of the trainings alone that they share.

    Parameters
    ----------
    rows : tuple of Row or None
        By data set; None where there is no row, or one of another training.
    left_out : tuple of (int, str)
        Places of the rows that are of another training, each with the reason.
    seeds : tuple of int
        Of these runs alone, where some data set has others too; () for all there are.
    """

    rows: tuple[Row | None, ...]
    left_out: tuple[tuple[int, str], ...] = ()
    seeds: tuple[int, ...] = ()


def training_of(run: RunRecord, seeded: bool = True) -> Training:
    """Return what names a training: its identity, or the hash of weights from elsewhere; "" for none, and where it is not recorded."""
    return json.dumps(_identity(run), sort_keys=True), run.run.seed if seeded else None


def in_common(rows: Sequence[Row | None], keys: Sequence[str]) -> Shared:
    """Return the rows of the trainings that most data sets share; of a method on one data set alone, its row.

    Parameters
    ----------
    rows : sequence of Row or None
        One a data set, of one name and trained on one data set.
    keys : sequence of str
        Per-subject metrics that are wanted of the rows; the other figures of a row with fewer runs are not those runs'.
    """
    present = {place: row for place, row in enumerate(rows) if row is not None}
    if len(present) < 2:
        return Shared(tuple(rows))
    seeded = all(row.chance for row in present.values())
    own = {place: {training_of(run, seeded) for run in row.runs} for place, row in present.items()}
    kept = _most_shared(own)
    if len(kept) < 2:
        first = next(iter(present))
        apart = tuple((place, _why(present[first], present[place])) for place in [*present][1:])
        # of two trainings neither is the odd one
        return Shared((None,) * len(rows), ((first, apart[0][1]), *apart))
    shared = set.intersection(*(own[place] for place in kept))
    out: list[Row | None] = [None] * len(rows)
    for place in kept:
        row = present[place]
        runs = [run for run in row.runs if training_of(run, seeded) in shared]
        out[place] = _of_runs(row, runs, keys)
    fewer = seeded and any(own[place] != shared for place in kept)
    seeds = tuple(sorted({seed for _, seed in shared if seed is not None})) if fewer else ()
    left = tuple(
        (place, _why(present[kept[0]], row)) for place, row in present.items() if place not in kept
    )
    return Shared(tuple(out), left, seeds)


def differing(first: Row, second: Row) -> dict[str, bool]:
    """Return in what the runs of one method on two data sets differ: training, seeds, how they are scored.

    Trainings on different data sets are meant to differ, and are not said to.
    """
    ours, theirs = first.runs, second.runs
    source = {run.data.trained_on for run in (*ours, *theirs)}
    trained = [{training_of(run, seeded=False) for run in runs} for runs in (ours, theirs)]
    seeds = [{run.run.seed for run in runs} for runs in (ours, theirs)]
    return {
        "training": len(source) == 1 and trained[0] != trained[1],
        "seeds": first.chance and second.chance and seeds[0] != seeds[1],
        "scoring": scored_otherwise((first, second)),
    }


def scored_otherwise(rows: Sequence[Row | None]) -> bool:
    """Whether the slices' scores do not become a map in the same way everywhere."""
    return len({scoring_of(run) for row in rows if row is not None for run in row.runs}) > 1


def _most_shared(own: Mapping[int, Collection[Training]]) -> list[int]:
    """Return the places that have the training which most of them have; of several such, the one with more beside it."""

    def places(training: Training) -> list[int]:
        return [place for place, found in own.items() if training in found]

    def weight(training: Training) -> tuple[int, int]:
        kept = places(training)
        return len(kept), len(set.intersection(*(set(own[place]) for place in kept)))

    every = list(dict.fromkeys(one for found in own.values() for one in sorted(found, key=str)))
    return places(max(every, key=weight))


def _of_runs(row: Row, runs: Sequence[RunRecord], keys: Sequence[str]) -> Row:
    if len(runs) == len(row.runs):
        return row
    # a row without a value is incomplete, or has nothing to average
    wanted = [metric_at(key) for key in keys if row.figures[key].value is not None]
    found = subject_estimates(runs, subject_tables(runs), row.chain, wanted)
    return replace(row, runs=tuple(runs), figures={**row.figures, **found})


def _identity(run: RunRecord) -> Any:
    """Return the identity of a training without its seed, which is the run's own."""
    found = run.training.get("identity") or run.training.get("sha256") or ""
    return {k: v for k, v in found.items() if k != "seed"} if isinstance(found, dict) else found


def _why(first: Row, second: Row) -> str:
    """Say in what two rows' trainings differ, by the names of the settings."""
    ours, theirs = ([_identity(run) for run in row.runs] for row in (first, second))
    if any(one in theirs for one in ours):
        return OTHER_SEEDS
    if not (ours[0] and theirs[0]):
        return "training not recorded"
    if not (isinstance(ours[0], dict) and isinstance(theirs[0], dict)):
        return "other weights"
    one, other = dict(_flat(ours[0])), dict(_flat(theirs[0]))
    names = [key.replace("_", " ") for key in {**one, **other} if one.get(key) != other.get(key)]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"training differs in {', '.join(names[:_NAMED])}{more}"


def _flat(found: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in found.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield key, value
