"""A published record: what a comparison reads of a run's record, and nothing else.

Its folder holds

``record.json``
    As in any record (:class:`andi_bench.records.schema.RunRecord`), a line for each of its parts.
``subjects.csv.xz``
    The columns of ``subjects.csv`` that tables, tests and figures read; a cell that none of them reads is empty.
``pooled.npz``
    The score histograms of the reported subjects, in the groups that pooled figures, their intervals and tests are
    computed from.
``SHA256SUMS``
    Digests of these.

A table made from published records is, byte for byte, the one made from the records that they were made from. What needs the
whole histograms is not: ``compare --carry-thresholds``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from andi_bench.errors import UserError, reason
from andi_bench.metrics.catalogue import CATALOGUE
from andi_bench.metrics.compared import compared
from andi_bench.metrics.histograms.grouped import GroupedCounts
from andi_bench.metrics.histograms.scores import Region
from andi_bench.metrics.points import RANKING_POINT
from andi_bench.records.arrays import POOLED, TESTED, read_grouped, write_pooled
from andi_bench.records.digests import write_digests
from andi_bench.records.schema import GRID, LESION_ML, RecordedThreshold, RunRecord
from andi_bench.records.store import KEYS, RECORD
from andi_bench.records.table_file import PACKED, opened_table, packed_text, table_path
from andi_bench.records.validation import validation_dice

Renamed = Callable[[str], str]


def write_slim(
    folder: Path, source: RunRecord, told: Mapping[str, Any], renamed: Renamed = str
) -> None:
    """Write a published record into an empty folder.

    Parameters
    ----------
    folder : Path
        Where to.
    source : RunRecord
        As it was read from its own folder.
    told : mapping
        Content of ``record.json``.
    renamed : callable
        From a subject's name to the one that is published.

    Raises
    ------
    UserError
        When a file of the source cannot be read.
    """
    (folder / RECORD).write_text(record_text(told), encoding="utf-8")
    (folder / PACKED).write_bytes(packed_text(read_lines(source, renamed)))
    write_pooled(folder, _pooled(source, renamed))
    write_digests(folder, (RECORD, PACKED, POOLED))


def record_text(told: Mapping[str, Any]) -> str:
    """Return the text of a published ``record.json``: a line for each part."""
    parts = [
        f"{json.dumps(key)}: "
        + json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        for key, value in told.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def with_validation(record: RunRecord) -> RunRecord:
    """Return a record that says what its thresholds reach on the validation subjects: older ones leave it to their histograms.

    Raises
    ------
    UserError
        When these cannot be read.
    """
    points = _told(record)
    native = record.native
    if native is not None:
        native = native.model_copy(update={"operating_points": _told(record.on_grid("native"))})
    return record.model_copy(update={"operating_points": points, "native": native})


def _told(record: RunRecord) -> dict[str, dict[str, RecordedThreshold]]:
    out = {}
    for chain, points in record.operating_points.items():
        out[chain] = dict(points)
        point = points.get(RANKING_POINT.name)
        if point is not None and point.reached is None:
            reached = validation_dice(record, chain)
            out[chain][RANKING_POINT.name] = point.model_copy(update={"reached": reached})
    return out


def read_lines(source: RunRecord, renamed: Renamed = str) -> str:
    """Return the table of subjects with what comparisons read, as CSV.

    Raises
    ------
    UserError
        When the table cannot be read, or lacks one of its key columns.
    """
    assert source.folder is not None
    path, text = table_path(source.folder), io.StringIO()
    read = _read_at()
    try:
        with opened_table(source.folder) as file:
            lines = csv.DictReader(file)
            columns = lines.fieldnames or ()
            for key in KEYS:
                if key not in columns:
                    raise UserError(f"{path}: no column '{key}'")
            kept = [name for name in columns if name in read or name in (*KEYS, GRID)]
            out = csv.DictWriter(text, kept, extrasaction="ignore", lineterminator="\n")
            out.writeheader()
            for line in lines:
                shown = {
                    name: line[name]
                    for name in kept
                    if (points := read.get(name)) is None or line["point"] in points
                }
                out.writerow({**shown, "subject": renamed(line["subject"])})
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({reason(error)})") from error
    return text.getvalue()


def _read_at() -> dict[str, set[str] | None]:
    """Return the columns that comparisons read, each with the operating points at which they do; None: on every line."""
    found: dict[str, set[str] | None] = {LESION_ML: None, CATALOGUE["scan_score"].field: None}
    for one in compared().values():
        ratio = one.metric.ratio
        for name in [name for side in ratio for name in side] if ratio else [one.metric.field]:
            known = found.setdefault(name, set())
            if one.point is None:
                found[name] = None
            elif known is not None:
                known.add(one.point.name)
    return found


def _pooled(source: RunRecord, renamed: Renamed) -> dict[str, GroupedCounts]:
    assert source.folder is not None
    region: Region = "all" if source.protocol.region == "all" else "brain"
    out = {}
    for grid in source.grids:
        for chain in source.protocol.chains:
            counts = read_grouped(source.folder, chain, grid, region)
            if counts is not None:
                names = tuple(renamed(name) for name in counts.subjects)
                out[f"{TESTED[grid]}{chain}"] = GroupedCounts(
                    names, counts.lesion, counts.healthy, counts.tied
                )
    return out
