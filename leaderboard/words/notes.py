"""What stands around a table in words: what was measured, and what a reader must know beside the numbers."""

from __future__ import annotations

from leaderboard.tables.comparability import modalities_of
from leaderboard.tables.measures import RANKING, TITLES
from leaderboard.tables.table import Table


def notes_of(table: Table, brief: bool = False) -> list[str]:
    """Return what a reader must know beside the numbers: undefined values, missing ranks, the runs' own notes.

    Parameters
    ----------
    table : Table
        Of the leaderboard.
    brief : bool
        Tell what several runs say alike but for its figures once, without the figures.
    """
    notes: dict[str, None] = {}
    undefined = {
        name: max((row.figures[metric].undefined for row in table.rows), default=0)
        for metric, name in (("ap", "AP per subject"), ("auroc", "AUROC per subject"))
    }
    for count in dict.fromkeys(undefined.values()):
        names = " and ".join(name for name, own in undefined.items() if own == count)
        if count:
            verb = "is" if " and " not in names else "are"
            subjects = "1 subject" if count == 1 else f"{count} subjects"
            notes[f"{names} {verb} undefined for {subjects} without a lesion voxel."] = None
    lacking = {
        f"{row.label} ({row.chain})": row.figures["hd95@val-dice"].undefined
        for row in table.rows
        if row.figures["hd95@val-dice"].undefined and row.figures[RANKING].value is not None
    }
    if lacking:
        text = "HD95 and ASSD are undefined for subjects whose lesion mask or detection is empty"
        which = ", ".join(f"{name} {count}" for name, count in lacking.items())
        if len(set(lacking.values())) == 1 and len(lacking) == len(table.rows):
            which = f"{next(iter(lacking.values()))} in every row"
        notes[f"{text}: {which}."] = None
    unranked: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        if row.reason is not None:
            unranked.setdefault((row.label, row.reason), []).append(row.chain)
    for (label, reason), chains in unranked.items():
        both = len(chains) == len({row.chain for row in table.rows})
        which = label if both else f"{label} ({', '.join(chains)})"
        notes[f"{which} has no rank: {reason}."] = None
    for row in table.rows:
        for run in row.runs:
            point = run.operating_points.get(row.chain, {}).get("val-dice")
            if point is not None and point.edge:
                text = f"{row.label} ({row.chain}, seed {run.run.seed}): the best threshold lies at the end of"
                notes[f"{text} the validation scores."] = None
    return [*notes, *_said_by_runs(table, brief)]


def _said_by_runs(table: Table, brief: bool) -> list[str]:
    """Return the runs' own notes, each once, with the rows and seeds that have it."""
    said: dict[str, dict[str, list[int]]] = {}
    for row in table.rows:
        for run in row.runs:
            for note in run.notes:
                text = note.partition(": ")[0] if brief else note
                seeds = said.setdefault(text, {}).setdefault(row.label, [])
                if run.run.seed not in seeds:
                    seeds.append(run.run.seed)
    lines = []
    for text, who in said.items():
        names = (
            f"{label} (seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))})"
            for label, seeds in who.items()
        )
        lines.append(f"{', '.join(names)}: {text}")
    return lines


def heading_of(table: Table) -> str:
    """One line that says what was measured: protocol, region, grid, subjects."""
    protocol = table.protocol
    grid = f"{protocol.grid} grid"
    if protocol.spacing_mm is not None:
        grid += f" of {'x'.join(f'{value:.4g}' for value in protocol.spacing_mm)} mm"
    counts = ", ".join(f"{name} {count}" for name, count in protocol.subjects.items())
    parts = [f"protocol {protocol.name}", f"region {protocol.region}", grid]
    modalities = modalities_of(table.runs[0]) if table.runs else ()
    if modalities:
        parts.append(f"modalities {', '.join(modalities)}")
    if protocol.median_mm is not None:
        window = "x".join(f"{value:.4g}" for value in protocol.median_mm)
        where = " on the working grid" if protocol.grid != "working" else ""
        parts.append(f"median over {window} mm{where}")
    if protocol.erosion:
        parts.append(f"brain mask eroded by {protocol.erosion} voxels")
    if protocol.min_component_ml:
        parts.append(f"detections below {protocol.min_component_ml:g} ml removed")
    parts.append(f"split {table.split}" + (f" (subjects: {counts})" if counts else ""))
    if table.metric != RANKING:
        parts.append(f"RANKED BY {TITLES[table.metric]}, asked for, instead of Dice@val-dice")
    return ", ".join(parts)
