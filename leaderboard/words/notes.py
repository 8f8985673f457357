"""What stands around a table in words: what was measured, and what a reader must know beside the numbers."""

from __future__ import annotations

import re

from andi_bench.metrics.compared import compared_per_subject, title_of
from andi_bench.metrics.metric import MetricAt
from andi_bench.metrics.points import RANKING, RANKING_POINT
from andi_bench.names import counted
from andi_bench.records.schema import MATCHED_SINCE
from andi_bench.records.store import Protocol
from leaderboard.tables.comparability import DATA, intensities_of, modalities_of
from leaderboard.tables.parts import volumes_of
from leaderboard.tables.table import Table
from leaderboard.words.methods_text import ranked_by
from leaderboard.words.pipeline_text import choice_notes, region_text, view_text, window_text
from leaderboard.words.reference_notes import below_notes, no_better_notes, reference_notes
from leaderboard.words.scoring_text import scoring_sentences
from leaderboard.words.threshold_text import threshold_note

_MATCHED = tuple(f"{key}@{RANKING_POINT.name}" for key in ("matched_f1", "unmatched_detections"))


def notes_of(table: Table, brief: bool = False) -> list[str]:
    """Return what a reader must know beside the numbers: undefined values, missing ranks, the runs' own notes.

    Parameters
    ----------
    table : Table
        Of the leaderboard.
    brief : bool
        Tell what several runs say alike but for its figures once, without the figures.
    """
    return [
        *older_version(table.protocol),
        *choice_notes(table),
        *_undefined_on_maps(table),
        *_undefined_at_points(table),
        *_without_rank(table),
        *_at_an_end(table),
        *filter(None, [threshold_note(table)]),
        *reference_notes(table),
        *_said_by_runs(table, brief),
    ]


def first_notes(table: Table) -> list[str]:
    """Return the notes without which the first screen would be misread; the others stand in the details."""
    return [
        *older_version(table.protocol),
        *choice_notes(table),
        *_without_rank(table),
        *filter(None, [threshold_note(table)]),
        *no_better_notes(table),
        *below_notes(table),
        *(f"{line}." for line in _said_by_runs(table, brief=True)),
    ]


def older_version(protocol: Protocol) -> list[str]:
    """Say what figures of an earlier version of the protocol mean; [] for those of today's."""
    if protocol.version >= MATCHED_SINCE:
        return []
    titles = " and ".join(title_of(key) for key in _MATCHED)
    return [
        f"Measured by version {protocol.version} of the protocol: thresholds were frozen over lesion-free subjects too, with Dice "
        f"1 where nothing was detected; lesions and detections were not matched one to one, so {titles} are not shown. Run again: the maps that are there are measured anew."
    ]


def _undefined_on_maps(table: Table) -> list[str]:
    """Count the subjects that metrics of the map are undefined for: the same for every row."""
    undefined = {
        found.title: max((row.figures[found.key].undefined for row in table.rows), default=0)
        for found in _with_note(of_maps=True)
    }
    lines = []
    for count in filter(None, dict.fromkeys(undefined.values())):
        names = [name for name, own in undefined.items() if own == count]
        reasons = {one.title: one.metric.undefined for one in _with_note(of_maps=True)}
        verb = "are" if len(names) > 1 else "is"
        subjects = counted(count, "subject")
        lines.append(f"{' and '.join(names)} {verb} undefined for {subjects} {reasons[names[0]]}.")
    return lines


def _undefined_at_points(table: Table) -> list[str]:
    """Count, row by row, the subjects that metrics of a detection are undefined for."""
    by_reason: dict[str, list[MetricAt]] = {}
    for found in _with_note(of_maps=False):
        by_reason.setdefault(found.metric.undefined, []).append(found)
    lines = []
    for reason, metrics in by_reason.items():
        counts = {
            f"{row.label} ({row.chain})": row.figures[metrics[0].key].undefined
            for row in table.rows
            if row.figures[metrics[0].key].undefined and row.figures[RANKING].value is not None
        }
        if not counts:
            continue
        which = ", ".join(f"{name} {count}" for name, count in counts.items())
        if len(set(counts.values())) == 1 and len(counts) == len(table.rows):
            which = f"{next(iter(counts.values()))} in every row"
        names = " and ".join(found.metric.name for found in metrics)
        verb = "are" if len(metrics) > 1 else "is"
        lines.append(f"{names} {verb} undefined for subjects {reason}: {which}.")
    return lines


def _with_note(of_maps: bool) -> list[MetricAt]:
    return [
        found
        for found in compared_per_subject()
        if found.metric.undefined and (found.metric.at == "map") is of_maps
    ]


def _without_rank(table: Table) -> list[str]:
    """Say why rows have no rank, those together that share the reason."""
    who: dict[str, list[str]] = {}
    for row in table.rows:
        if row.reason is not None:
            who.setdefault(row.reason, []).append(row.label)
    return [
        f"{', '.join(labels)} {'have' if len(labels) > 1 else 'has'} no rank: {reason}."
        for reason, labels in who.items()
    ]


def _at_an_end(table: Table) -> list[str]:
    """Name the runs whose ranking threshold is an end of the scores it was searched in."""
    lines = []
    for row in table.rows:
        for run in row.runs:
            point = run.operating_points.get(row.chain, {}).get(RANKING_POINT.name)
            if point is not None and point.edge:
                text = f"{row.label} ({row.chain}, seed {run.run.seed}): the best threshold lies at the end of"
                lines.append(f"{text} the validation scores.")
    return list(dict.fromkeys(lines))


def _said_by_runs(table: Table, brief: bool) -> list[str]:
    """Return the runs' own notes, each once, with the rows and seeds that have it."""
    said: dict[str, dict[str, list[int]]] = {}
    for row in table.rows:
        for run in row.runs:
            for note in run.notes:
                text = _without_figures(note) if brief else note
                seeds = said.setdefault(text, {}).setdefault(row.label, [])
                if run.run.seed not in seeds:
                    seeds.append(run.run.seed)
    every = {row.label: list(row.seeds) for row in table.rows if row.runs}
    return [f"{_who(who, every)}: {text}" for text, who in said.items()]


def _without_figures(note: str) -> str:
    """Return what a note says of the run, without the list of figures that follows."""
    return re.sub(r" \([^()]*\)$", "", note.partition(": ")[0])


def _who(who: dict[str, list[int]], every: dict[str, list[int]]) -> str:
    """Name rows; their seeds where it is not all of them, and all rows together where it is."""
    whole = [label for label, seeds in who.items() if len(seeds) == len(every.get(label, ()))]
    if len(whole) == len(every) > 1:
        return "Every run"
    return ", ".join(
        label
        if label in whole
        else f"{label} (seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))})"
        for label, seeds in who.items()
    )


def in_short(table: Table) -> str:
    """Return in what a table differs from the main one, without the fingerprints and sizes that follow from it."""
    follow = ("split fingerprint:", "share of lesion voxels:", f"{DATA}:", "spacing:", "shape:")
    kept = [text for text in table.differs if not text.startswith(follow)]
    return "; ".join(kept or table.differs)


def heading_of(table: Table) -> str:
    """One line that says what is shown, and how it was measured: protocol, region, grid, subjects."""
    protocol = table.protocol
    grid = f"{protocol.grid} grid"
    if protocol.spacing_mm is not None:
        grid += f" of {'x'.join(f'{value:.4g}' for value in protocol.spacing_mm)} mm"
    counts = ", ".join(f"{name} {count}" for name, count in protocol.subjects.items())
    parts = [
        view_text(table),
        f"protocol {protocol.name}, version {protocol.version}",
        f"region {region_text(table)}",
        grid,
    ]
    modalities = modalities_of(table.runs[0]) if table.runs else ()
    if modalities:
        parts.append(f"modalities {', '.join(modalities)}")
        parts.append(f"normalisation {intensities_of(table.runs[0])}")
    parts += [
        sentence.rstrip(".").replace("Scores", "scores", 1) for sentence in scoring_sentences(table)
    ]
    if protocol.median_mm is not None:
        known = protocol.median_voxels is not None or protocol.grid == "working"
        parts.append(
            f"median over {window_text(protocol)}" + ("" if known else " on the working grid")
        )
    if protocol.erosion:
        parts.append(f"brain mask eroded by {counted(protocol.erosion, 'voxel')}")
    if protocol.min_component_ml:
        parts.append(f"detections below {protocol.min_component_ml:g} ml removed")
    parts.append(f"split {table.split}" + (f" (subjects: {counts})" if counts else ""))
    volumes = volumes_of(table)
    if volumes:
        apart = sum(volume == 0 for volume in volumes.values())
        parts.append(f"means over n = {len(volumes) - apart} with a lesion")
        if apart:
            parts.append(f"{apart} lesion-free apart")
    return ", ".join([*parts, *ranked_by(table)])
