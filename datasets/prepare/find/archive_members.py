"""Members of archives: which are scans, and which are refused."""

from __future__ import annotations

import re
import stat
import tarfile
import zipfile


def tar_refusal(member: tarfile.TarInfo) -> str | None:
    """Return why a tar's member is not to be unpacked, None for a plain file or folder with an honest name."""
    reason = name_refusal(member.name)
    if reason is not None:
        return reason
    if member.issym() or member.islnk():
        return f"is a link (to '{shown(member.linkname)}')"
    if not (member.isreg() or member.isdir()) or member.issparse():
        return "is a device or a special file"
    return None


def zip_refusal(member: zipfile.ZipInfo) -> str | None:
    """Return why a zip's member is not to be unpacked, else None."""
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "is a link or a special file"
    if member.flag_bits & 0x1:
        return "is encrypted"
    return name_refusal(member.filename)


def name_refusal(name: str) -> str | None:
    """Return why a member's name is refused: it leaves the folder, or is no name; else None."""
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return "has an absolute path"
    if ".." in re.split(r"[/\\]", name):
        return "leaves the folder by '..'"
    if "\\" in name or any(ord(sign) < 32 for sign in name):
        return "has a name that is no path"
    return None


def shown(name: str) -> str:
    """Return a name fit for one line of a message."""
    return name if name.isprintable() else ascii(name)[1:-1]


def is_hidden(name: str) -> bool:
    """Whether a path has a hidden part: what macOS puts beside every file, for one."""
    return any(part.startswith(".") and part != "." for part in name.split("/"))
