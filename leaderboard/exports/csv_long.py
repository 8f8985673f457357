"""Every subject's figures as CSV in long form, one value a line: what R and pandas group, test and draw."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from andi_bench.metrics.compared import compared_per_subject
from andi_bench.records.schema import LESION_ML
from leaderboard.compare import Comparison
from leaderboard.tables.row import Row
from leaderboard.tables.subject_values import subject_tables
from leaderboard.tables.table import Table

HEADS = (
    "dataset",
    "method",
    "pipeline",
    "seed",
    "subject",
    "metric",
    "value",
    "split",
    "chosen",
    "differs",
)
"""``chosen``: whether it is the pipeline that validation chose for the method; ``differs``: in what the table was measured
differently from the data set's main one, empty for that."""


def to_long_csv(comparison: Comparison) -> str:
    """Return all values of all subjects, with every pipeline of every method, whichever a table shows.

    Metrics have the names of the other exports (``dice@val-dice``), and ``lesion_ml`` is there too. What is undefined has no
    line: Dice of subjects without a lesion, distances where nothing is detected. The mean over the lines of a method with
    one seed is the figure of its row; with several seeds the row has the subjects that every seed has. Incomplete runs,
    whose row has no figures, are left out.

    Raises
    ------
    UserError
        When a record's table of subjects cannot be read.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADS)
    for table in comparison.base:
        rows = sorted((*table.every, *table.every_reference), key=lambda row: row.reference)
        for row in rows:
            writer.writerows(_lines(table, row))
    return out.getvalue()


def _lines(table: Table, row: Row) -> Iterator[tuple[object, ...]]:
    if not any(row.values.values()):
        return
    chosen = row.chain == row.choice.chain
    for run, subjects in zip(row.runs, subject_tables(row.runs), strict=True):
        columns = {found.key: subjects.values(row.chain, found) for found in compared_per_subject()}
        columns = {LESION_ML: subjects.column(row.chain, LESION_ML), **columns}
        for metric, values in columns.items():
            for subject, value in sorted(values.items()):
                first = (table.dataset, row.label, row.chain, run.run.seed, subject, metric, value)
                yield (*first, table.split, chosen, "; ".join(table.differs))
