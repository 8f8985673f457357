"""Records of other workspaces brought into one: each is copied whole, after its files were held against their digests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from andi_bench.errors import UserError
from andi_bench.records.search import find_records, results_of
from andi_bench.records.store import check_files, read_record


@dataclass
class Gathered:
    """What became of the records of other places.

    Parameters
    ----------
    copied : list of Path
        Folders of the records that are new here.
    there : list of Path
        Records of other places that were here already.
    refused : list of str
        Records that were not copied, each with the reason.
    """

    copied: list[Path] = field(default_factory=list)
    there: list[Path] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def gather(places: Sequence[Path], records: Path) -> Gathered:
    """Copy the records of other places into a folder of records.

    Parameters
    ----------
    places : sequence of Path
        Workspaces, or folders of records.
    records : Path
        Folder of the records here.

    Raises
    ------
    UserError
        When a place holds no records, or a file cannot be written.
    """
    out = Gathered()
    for place in places:
        folder = place / "records" if (place / "records").is_dir() else place
        if folder.resolve() == records.resolve():
            raise UserError(f"{place}: another workspace than the one that is gathered into wanted")
        found = find_records(folder, whole=True)
        out.refused += [reason for _, reason in found.skipped]
        for record in found.records:
            assert record.folder is not None
            target = records / record.run.folder_name
            if not target.exists():
                _copy(record.folder, target, out)
                continue
            try:
                same = results_of(read_record(target)) == results_of(record)
            except UserError as error:
                out.refused.append(str(error))
                continue
            if same:
                out.there.append(record.folder)
            else:
                reason = f"{record.folder}: the same run as {target}, but other results"
                out.refused.append(f"{reason}: that one stands")
    return out


def _copy(source: Path, target: Path, out: Gathered) -> None:
    """Copy a record beside its place, and give it its name when it is whole."""
    partial = target.parent / f".{target.name}.{os.getpid()}"
    try:
        check_files(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, partial)
        check_files(partial)
        partial.replace(target)
    except UserError as error:
        out.refused.append(str(error))
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror or error})") from error
    else:
        out.copied.append(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
