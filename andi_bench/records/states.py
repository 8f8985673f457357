"""Records of one run on earlier states of the data: which of them stands, and which are older.

Data are corrected: a mask is drawn again, a scan registered anew, a site mended. The run is then done again and has another
identity, and its first record tells of data that are no more. Two records are of one run where they were asked for in the
same words (``run.asked``) of data in one place; the one that was made, or found to be of the data as they are, last stands.
A record of version 1 of the identity does not say what its data were: it gives way to the one of version 2 that says it
would have had the same identity then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from andi_bench.records.schema import IDENTITY, RunInfo, RunRecord
from andi_bench.records.store import CONFIRMED, read_record


def superseded(records: Sequence[RunRecord]) -> dict[str, RunRecord]:
    """Return the older records, by identity, each with the one that stands for it."""
    runs: dict[tuple[str, str], list[RunRecord]] = defaultdict(list)
    out: dict[str, RunRecord] = {}
    for record in records:
        asked, place = record.run.asked, str(record.provenance.get("data", ""))
        if asked and place:
            runs[asked, place].append(record)
    for states in runs.values():
        newest = max(states, key=_last_seen)
        for record in states:
            if record.run.identity != newest.run.identity:
                out[record.run.identity] = newest
    of_now = {r.run.former: r for r in sorted(records, key=_last_seen) if r.run.former}
    for record in records:
        found = of_now.get(record.run.identity)
        if record.run.identity_version < IDENTITY and found is not None:
            out[record.run.identity] = found
    return out


def _last_seen(record: RunRecord) -> tuple[str, str]:
    return max(record.run.created, record.confirmed), record.run.identity


def why_older(older: RunRecord, newer: RunRecord) -> str:
    """Say in words why a record does not stand, and which does."""
    name = newer.folder.name if newer.folder is not None else newer.run.folder_name
    if older.run.identity_version < IDENTITY:
        return f"older, cannot be proven to be of the data of {name}, which stands for it"
    changed = sorted(
        subject
        for subject in older.data.files.keys() & newer.data.files.keys()
        if older.data.files[subject] != newer.data.files[subject]
    )
    what = f"files of {_some(changed)} have changed since" if changed else "the data have changed"
    return f"older, {what}: {name} stands for it"


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(names[:3])
    return f"{listed} and {len(names) - 3} more" if len(names) > 3 else listed


def runs_like(records_dir: Path, run: RunInfo) -> list[RunRecord]:
    """Return the readable records of a method, data set and seed."""
    found = []
    head = run.folder_name.rpartition("__")[0]
    for folder in sorted(records_dir.glob(f"{head}__*")):
        try:
            found.append(read_record(folder))
        except UserError:  # `compare` says what is wrong with it
            continue
    return found


def earlier_of(run: RunInfo, place: str, records: Iterable[RunRecord]) -> list[RunRecord]:
    """Return the records of a run that is about to be done, on earlier states of its data; newest first."""
    found = [
        record
        for record in records
        if (record.run.asked == run.asked and record.provenance.get("data", "") == place)
        or (record.run.identity_version < IDENTITY and record.run.identity == run.former)
    ]
    return sorted(found, key=_last_seen, reverse=True)


def confirm(record: RunRecord) -> None:
    """Note that a record, which another had taken the place of, is of the data as they are now.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    assert record.folder is not None
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    write_atomically(record.folder / CONFIRMED, now + "\n")
