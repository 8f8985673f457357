"""Digests of a record's files, as ``sha256sum -c`` reads them: what was edited or truncated after the run is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from andi_bench.errors import UserError

SUMS = "SHA256SUMS"


def write_digests(folder: Path, names: Collection[str]) -> None:
    """Write the digests of some of a folder's files."""
    lines = [f"{_digest(folder / name)}  {name}\n" for name in names]
    (folder / SUMS).write_text("".join(lines), encoding="ascii")


def listed_digests(folder: Path) -> dict[str, str]:
    """Return the digests that a record says its files have, by name.

    Raises
    ------
    UserError
        When the list cannot be read.
    """
    path = folder / SUMS
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def check_digests(folder: Path, names: Collection[str], unread: Collection[str] = ()) -> None:
    """Hold files against their digests.

    Parameters
    ----------
    folder : Path
        The record's.
    names : collection of str
        Files that must be there.
    unread : collection of str
        Those among them whose bytes nobody is going to use: that they are there is enough.

    Raises
    ------
    UserError
        Names the first file that is missing or has another digest, with the digests found and expected.
    """
    listed = listed_digests(folder)
    for name in names:
        file = folder / name
        if not file.is_file():
            raise UserError(f"{file}: missing from the record")
        if name in unread:
            continue
        try:
            found = _digest(file)
        except OSError as error:
            raise UserError(f"{file}: cannot be read ({error.strerror})") from error
        if found != listed.get(name):
            wanted = listed.get(name, "none")
            raise UserError(
                f"{file}: truncated or changed after the run: SHA-256 {found} found, {wanted} in {SUMS}"
            )


def _digest(path: Path) -> str:
    with path.open("rb") as file:  # histograms are too large to be held whole for this
        return hashlib.file_digest(file, "sha256").hexdigest()
