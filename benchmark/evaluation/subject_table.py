"""The table of subjects: one line a subject, chain and operating point, with the columns of the split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from andi_bench.metrics.points import POINTS
from andi_bench.records.schema import GRID
from benchmark.evaluation.case_values import Row
from benchmark.evaluation.measurement import Measured

if TYPE_CHECKING:
    import pandas as pd


def attributes_of(measured: Sequence[Measured]) -> dict[str, dict[str, str]]:
    """Return site and the further columns of the split, column by column."""
    names = dict.fromkeys(["site", *(name for m in measured for name in m.attributes)])
    sites = {m.subject: str(m.rows[0]["site"]) for m in measured}
    return {
        name: {
            m.subject: sites[m.subject] if name == "site" else m.attributes.get(name, "")
            for m in measured
        }
        for name in names
    }


def subject_table(rows: Sequence[Row], measured: Sequence[Measured]) -> pd.DataFrame:
    """Return the table of subjects: keys, columns of the split, figures."""
    import pandas as pd

    figures = pd.DataFrame(rows)
    at = 1 + list(figures.columns).index("site")
    for name, cells in attributes_of(measured).items():
        if name == "site":
            continue
        # a column of the split never hides a figure, nor the grid that the record's table is read by
        shown = name
        while shown in figures.columns or shown == GRID:
            shown = f"{shown} (split)"
        figures.insert(at, shown, figures["subject"].map(cells))
        at += 1
    order = {name: rank for rank, name in enumerate(POINTS)}
    return figures.sort_values(
        ["subject", "chain", "point"],
        key=lambda column: column.map(order) if column.name == "point" else column,
        kind="stable",
    ).reset_index(drop=True)
