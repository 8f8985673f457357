"""A place in a page that a script writes, between two marks: the first names the script, the last is :data:`END`."""

from __future__ import annotations

from pathlib import Path

END = "<!-- end of the table -->"


def found(page: Path, begin: str) -> str:
    """Return what stands between the marks."""
    return _parts(page, begin)[1].strip()


def write(page: Path, begin: str, text: str) -> None:
    """Put a text between the marks in the place of what is there."""
    before, _, after = _parts(page, begin)
    page.write_text(f"{before}{begin}\n{text}\n{END}{after}", encoding="utf-8")


def _parts(page: Path, begin: str) -> tuple[str, str, str]:
    before, mark, rest = page.read_text(encoding="utf-8").partition(begin)
    inside, end, after = rest.partition(END)
    assert mark, f"{page}: no '{begin}'"
    assert end, f"{page}: no '{END}' after '{begin}'"
    return before, inside, after
