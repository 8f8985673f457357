"""The bytes of an image file: read whole, decompressed, and called by name where they are something else."""

from __future__ import annotations

import zlib
from pathlib import Path

from andi_bench.errors import UserError
from andi_bench.names import counted

_GZIP = b"\x1f\x8b"
_MEMBER = b"\x1f\x8b\x08"  # how another member would begin
_LARGEST_RATIO = 1040  # deflate never expands a byte to more
_MEMBERS = 31  # zlib's word for gzip with a header

_KINDS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer and not the image it stands for (git lfs pull)",
    ),
    (b"version https://hawser", "a Git LFS pointer and not the image it stands for (git lfs pull)"),
    (b"/annex/objects/", "a git-annex pointer and not the image it stands for (git annex get)"),
    (b"<!doctype html", "an HTML page, as a server sends for a login or an error"),
    (b"<html", "an HTML page, as a server sends for a login or an error"),
    (b"<?xml", "an XML text, as a server sends for an error"),
    (b"pk\x03\x04", "a zip archive"),
    (b"nrrd", "an NRRD file"),
    (b"{", "a JSON text"),
)


def read_bytes(path: Path) -> tuple[bytes, tuple[str, ...]]:
    """Read a file, and decompress it where it is gzip, whatever its name says.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    content : bytes
        Decompressed.
    notes : tuple of str
        What was found and passed over: bytes behind the end of the gzip stream.

    Raises
    ------
    UserError
        For a file that cannot be read, and gzip that is truncated or damaged; what is a pointer in place of a file, an
        HTML page or the like is called so.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({_unread(path, error)})") from error
    if raw[:2] != _GZIP:
        return raw, ()
    try:
        return _decompressed(raw)
    except (zlib.error, EOFError) as error:
        raise UserError(f"{path}: truncated or damaged gzip file ({error})") from error


def _decompressed(raw: bytes) -> tuple[bytes, tuple[str, ...]]:
    # The last four bytes tell the size: one allocation of it doubles zlib's speed.
    size = min(int.from_bytes(raw[-4:], "little"), _LARGEST_RATIO * len(raw))
    content = zlib.decompress(raw, wbits=_MEMBERS, bufsize=max(size, 1 << 14))
    if len(content) == size and raw.find(_MEMBER, 10) < 0:
        return content, ()
    # Several members in a row, as parallel compressors write, or bytes that belong to none.
    parts, rest = [], raw
    while rest[:2] == _GZIP:
        stream = zlib.decompressobj(wbits=_MEMBERS)
        parts.append(stream.decompress(rest))
        if not stream.eof:
            raise EOFError("the stream ends early")
        rest = stream.unused_data
    notes: tuple[str, ...] = ()
    if rest.strip(b"\0"):  # zeros may pad a gzip file
        behind = "behind the end of the gzip stream"
        notes = (f"{counted(len(rest), f'byte {behind} was', f'bytes {behind} were')} passed over",)
    return b"".join(parts), notes


def first_bytes(raw: bytes) -> bytes:
    """Return how the content of a file begins, from its own first bytes; b"" for gzip that is damaged."""
    if raw[:2] != _GZIP:
        return raw
    try:
        return zlib.decompressobj(wbits=_MEMBERS).decompress(raw, 1 << 12)
    except zlib.error:
        return b""


def called(content: bytes) -> str:
    """Say what a content is that is no NIfTI, for messages."""
    start = content[:512].lstrip().lower()
    if not content:
        return "an empty file"
    for begin, name in _KINDS:
        if start.startswith(begin):
            return name
    if b"annex/objects/" in content[:512]:
        return "a git-annex pointer and not the image it stands for (git annex get)"
    if content[128:132] == b"DICM":
        return "a DICOM file"
    return f"its first bytes are {content[:4].hex()}"


def _unread(path: Path, error: OSError) -> str:
    """Say why a file cannot be read; a link of git-annex to a content that is not there is called so."""
    if path.is_symlink() and not path.exists():
        target = path.readlink()
        if "annex" in target.parts:
            return "a git-annex link whose content is not there: git annex get"
        return f"a link to {target}, which is not there"
    return error.strerror or str(error)
