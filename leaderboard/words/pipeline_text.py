"""Which pipeline validation chose for every method, in words and as rows of text, both pipelines beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from andi_bench.metrics.compared import title_of
from andi_bench.metrics.points import RANKING
from andi_bench.records.store import Protocol
from leaderboard.tables.cells import number
from leaderboard.tables.comparability import region_of
from leaderboard.tables.pipelines import FILTERED, RAW, VALIDATED
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table

_WHY = {
    "dice": "validation",
    "tie": "equal on validation: raw",
    "unknown": "validation not recorded: filtered",
    "only": "the only one",
}


def title_in_words(table: Table) -> str:
    """Return the table's title, with what it shows where that is not the pipeline that validation chose."""
    if table.view == VALIDATED:
        return table.title
    chain = table.protocol.chains[0 if table.view == RAW else -1]
    return f"{table.title}, {table.view} maps alone" + (
        f" ({chain})" if table.view == FILTERED and chain != FILTERED else ""
    )


def region_text(table: Table) -> str:
    """Return the region that is measured, in words; and that maps reach beyond the brain, where they do."""
    return region_of(table.runs[0]) if table.runs else table.protocol.region


def window_text(protocol: Protocol, where: str = "") -> str:
    """Return the extent of the median filter: asked for in mm, and in voxels where the record says.

    Parameters
    ----------
    protocol : Protocol
        Of a table.
    where : str
        What follows "voxels" where the grid that is measured is the one that was filtered.
    """
    text = millimetres(protocol.median_mm or ())
    if protocol.median_voxels is None:
        return text
    window = "x".join(map(str, protocol.median_voxels))
    grid = where if protocol.grid == "working" else " of the working grid"
    return f"{text} ({window} voxels{grid})"


def millimetres(sizes: Sequence[float]) -> str:
    """Return ``4x4x2.5 mm``."""
    return "x".join(f"{value:.4g}" for value in sizes) + " mm"


def view_text(table: Table) -> str:
    """Return in words which pipelines stand in the rows."""
    if len(table.views) == 1:
        return f"{table.protocol.chains[0]} maps"
    if table.view == VALIDATED:
        return "one row a method, its pipeline chosen on validation"
    return f"{table.protocol.chains[0 if table.view == RAW else -1]} maps alone"


def pipeline_heads(table: Table) -> tuple[str, ...]:
    """Return the heads of :func:`pipeline_cells`."""
    names = [RAW, FILTERED]  # short, as both pipelines are named in full in the rows
    return (
        "Method",
        "Pipeline",
        *(f"{name}, validation" for name in names),
        *(f"{name}, {table.split}" for name in names),
        "Chosen by",
    )


def pipeline_cells(table: Table) -> list[list[str]]:
    """Return for every method the pipeline that stands for it, and Dice of both on either split; [] where there is one.

    On either split it is the mean Dice over subjects with a lesion, and over seeds, at the threshold that ranks. Listed
    in the order of the table; nothing here is ranked.
    """
    chains = table.protocol.chains
    if len(table.views) == 1:
        return []
    of: dict[str, dict[str, Row]] = {}
    for row in table.every:
        of.setdefault(row.label, {})[row.chain] = row
    out = []
    for label in (row.label for row in table.rows):
        choice = of[label][chains[0]].choice
        out.append(
            [
                label,
                choice.chain,
                *(number(choice.values[chain]) for chain in chains),
                *(number(of[label][chain].figures[RANKING].value) for chain in chains),
                _WHY[choice.why],
            ]
        )
    return out


def pipeline_note() -> str:
    """Say what the table of :func:`pipeline_cells` holds."""
    return (
        f"Mean {title_of(RANKING)} of either pipeline. The higher one on the validation split decides; the test split has no say, "
        "and the two rows of a method are in no ranking together."
    )


def choice_notes(table: Table) -> list[str]:
    """Say where validation could not choose: equal figures, or none recorded."""
    if table.view != VALIDATED or len(table.views) == 1:
        return []
    ties = [row.label for row in table.rows if row.choice.why == "tie"]
    unknown = [row.label for row in table.rows if row.choice.why == "unknown"]
    lines = []
    if ties:
        lines.append(
            f"{', '.join(ties)}: both pipelines have the same Dice on validation; raw stands."
        )
    if unknown:
        who = "Every method" if len(unknown) == len(table.rows) > 1 else ", ".join(unknown)
        lines.append(
            f"{who}: no validation Dice is recorded, so the pipeline was not chosen; the filtered one stands."
        )
    return lines
