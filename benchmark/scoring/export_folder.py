"""A folder of exported maps: whose they are stands beside them, so that no map is ever taken for another's.

Names of files say which subject a map is of, and neither which run made it nor which scan it was made from: two methods,
two seeds, two hospitals give the same names. A folder therefore belongs to one run on one place of the data, and
:data:`MANIFEST` says so in its first line. The others hold a file's name, what its map was made from, and the hash of its
bytes, written before the file itself: what a killed command has begun is finished by the next, a file whose scan was
corrected is written anew, and a file that is not ours is never written over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from andi_bench.errors import UserError, reason
from andi_bench.files import write_atomically
from datasets.scans.fingerprints import file_hash

MANIFEST = "exported.jsonl"
_FORMAT = "andi-bench exported maps"
_WANTED = "another folder, or an empty one, wanted"


@dataclass(frozen=True)
class ExportFolder:
    """A folder of exported maps.

    Parameters
    ----------
    folder : Path
        Made when the first map is written.
    owner : str
        Whose maps it holds, in words: method, seed, data set.
    run : str
        Hash of what they come from: the run, and the place of the data.
    """

    folder: Path
    owner: str
    run: str = ""

    def require_free(self, names: Iterable[str]) -> None:
        """Find out before any work whether maps of these names may be written.

        Raises
        ------
        UserError
            When the folder is a file, holds the maps of another method, seed or data set, or a file of one of these
            names that was not exported by this run, or was changed since.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"{self.folder}: a file: a folder for exported maps wanted")
        head = self._entries[0] if self._entries else None
        if head is not None and head.get("owner") != self.owner:
            raise UserError(f"{self.folder}: holds maps of {head.get('owner')}: {_WANTED}")
        for name in names:
            path = self.folder / name
            if path.is_file() and file_hash(path) not in self._hashes(name):
                raise UserError(
                    f"{path}: is there, and is not what this command has exported: {_WANTED}"
                )

    def claim(self) -> None:
        """Make the folder this run's, or find that it is.

        Raises
        ------
        UserError
            When it is another run's, or cannot be written.
        """
        if not self._entries:
            head = {"format": _FORMAT, "owner": self.owner, "run": self.run}
            write_atomically(self.folder / MANIFEST, json.dumps(head) + "\n")
            self.__dict__.pop("_entries", None)
        elif self._entries[0].get("run") != self.run:
            raise UserError(
                f"{self.folder}: holds maps of {self.owner} with other settings, another training or of other data: "
                f"{_WANTED}"
            )

    def holds(self, name: str, stamp: str) -> bool:
        """Whether the map of that name is there as it would be written: from the same files, and unchanged."""
        known = [e for e in self._entries if e.get("file") == name]
        path = self.folder / name
        return (
            bool(known)
            and known[-1]["stamp"] == stamp
            and path.is_file()
            and file_hash(path) == known[-1]["hash"]
        )

    def put(self, name: str, stamp: str, write: Callable[[Path], None]) -> None:
        """Write a map, whole or not at all.

        Parameters
        ----------
        name : str
            The file, below the folder.
        stamp : str
            Changes when what the map was made from does.
        write : callable
            Writes the map to the path that it is given, whose name ends as ``name`` does.

        Raises
        ------
        UserError
            When it cannot be written.
        """
        path = self.folder / name
        partial = path.with_name(f".partial-{path.name}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(partial)
            entry = {"file": name, "stamp": stamp, "hash": file_hash(partial)}
            with (self.folder / MANIFEST).open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            partial.replace(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
        finally:
            partial.unlink(missing_ok=True)

    def _hashes(self, name: str) -> set[str]:
        return {entry["hash"] for entry in self._entries if entry.get("file") == name}

    @cached_property
    def _entries(self) -> list[dict[str, Any]]:
        """The manifest; lines that a killed process has not finished are passed over."""
        path = self.folder / MANIFEST
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: cannot be read ({reason(error)})") from error
        found = []
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                found.append(entry)
        if not found or found[0].get("format") != _FORMAT:
            raise UserError(f"{path}: not what exported maps are listed in: {_WANTED}")
        return [found[0], *(e for e in found[1:] if {"file", "stamp", "hash"} <= e.keys())]
