"""Tables, lists and names as GitHub Markdown: what comes from a record stays text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def escaped(text: str) -> str:
    """Keep a name with markup from becoming markup, and a bar from ending a cell."""
    for mark in "\\`*_|[]":
        text = text.replace(mark, f"\\{mark}")
    text = " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())
    return f"\\{text}" if text[:1] in {"#", "-", "+", "~"} else text


def plain_table(heads: Sequence[str], cells: list[list[str]], numbers: Sequence[str]) -> str:
    """Return texts as a table; columns whose heads are among ``numbers`` are aligned to the right."""
    shown = [
        [
            cell.replace("<", "&lt;") if head in numbers else escaped(cell)
            for head, cell in zip(heads, line, strict=True)
        ]
        for line in cells
    ]
    return aligned(heads, shown, [head in numbers for head in heads])


def aligned(heads: Sequence[str], cells: list[list[str]], right: Sequence[bool]) -> str:
    """Return cells, which are Markdown already, as a table; without padding, which a reader of the page never sees."""
    lines = [
        heads,
        ["--:" if number else ":--" for number in right],
        *cells,
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def listed(lines: Iterable[str], *, raw: bool = False) -> str:
    """Return lines as a list."""
    return "\n".join(f"- {line if raw else escaped(line)}" for line in lines)


def opened(summary: str, text: str) -> str:
    """Return a part that a reader opens."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def warned(lines: Sequence[str]) -> str:
    """Return lines as one warning."""
    return "\n".join(["> [!WARNING]", *(f"> - {escaped(line)}." for line in lines)])
