"""A place in a page that a script writes, between two marks: the first names the script."""

from __future__ import annotations

from pathlib import Path

END = "<!-- end of the table -->"
"""The mark that ends a place, unless a page has another."""


def parts(page: Path, begin: str, end: str = END) -> tuple[str, str, str]:
    """Return a page's text before the first mark, what stands between the marks, and the text after the second."""
    before, mark, rest = page.read_text(encoding="utf-8").partition(begin)
    inside, last, after = rest.partition(end)
    assert mark, f"{page}: no '{begin}'"
    assert last, f"{page}: no '{end}' after '{begin}'"
    return before, inside.strip(), after


def write(page: Path, begin: str, text: str, end: str = END) -> None:
    """Put a text between the marks in the place of what is there."""
    before, _, after = parts(page, begin, end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
