"""From the Markdown that stands in the repository to the one that the site's builder reads."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_ALERT = re.compile(r"^> \[!(\w+)\]\n((?:^>.*\n?)+)", re.M)
_FENCE = re.compile(r"^(```|~~~)")
_INFO = re.compile(r"^(```\w+) (?:\w+=)?(\S+)$", re.M)
"""A fence that says, for tests, which file its code belongs to."""
_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):<code>(~?)\.?([\w.]+)</code>")


def for_site(text: str, source: str, placed: Callable[[str], str | None], at: str) -> str:
    """Return a document's text with links that lead to pages of the site, alerts as boxes, what is folded away as Markdown, and lists that stand alone.

    Parameters
    ----------
    text : str
        Markdown as GitHub reads it.
    source : str
        The document's path in the repository.
    placed : callable
        From a path in the repository to the place in the site; None for what is no part of it: its link becomes its text.
    at : str
        The page's place in the site.
    """
    text = text.replace("<details>", '<details markdown="1">')
    text = _INFO.sub(r'\1 title="\2"', _ALERT.sub(_box, text))
    text = _outside_code(
        text, lambda part: _LINK.sub(lambda m: _linked(m, source, placed, at), part)
    )
    return _outside_code(text, _lists_apart)


def with_references(html: str) -> str:
    """Return a page with the references of its docstrings as code, which becomes a link where the name has a place in the site."""

    def linked(found: re.Match[str]) -> str:
        short, name = found.groups()
        shown = name.rpartition(".")[2] if short else name
        return f'<autoref identifier="{name}" optional><code>{shown}</code></autoref>'

    return _ROLE.sub(linked, html)


def _linked(found: re.Match[str], source: str, placed: Callable[[str], str | None], at: str) -> str:
    mark, text, target = found.groups()
    if target.startswith(("http", "#", "mailto:")):
        return found[0]
    path, _, heading = target.partition("#")
    place = placed(posixpath.normpath(posixpath.join(posixpath.dirname(source), path)))
    if place is None:
        return text
    relative = posixpath.relpath(place, posixpath.dirname(at) or ".")
    return f"{mark}[{text}]({relative}{'#' + heading if heading else ''})"


def _box(found: re.Match[str]) -> str:
    lines = [line.removeprefix(">").removeprefix(" ") for line in found[2].splitlines()]
    return f"!!! {found[1].lower()}\n" + "".join(f"\n    {line}" for line in lines) + "\n"


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Apply a change to what stands outside fenced code."""
    parts: list[list[str]] = [[]]
    inside = False
    for line in text.splitlines(keepends=True):
        if _FENCE.match(line.lstrip()):
            if inside:
                parts[-1].append(line)
                parts.append([])
            else:
                parts.append([line])
            inside = not inside
        else:
            parts[-1].append(line)
    joined = ["".join(part) for part in parts]
    return "".join(part if _FENCE.match(part.lstrip()) else change(part) for part in joined)


def _lists_apart(text: str) -> str:
    """Put an empty line above each list that follows a paragraph, and four spaces before what is nested in one."""
    out: list[str] = []
    for line in text.splitlines(keepends=True):
        before = out[-1] if out else "\n"
        item = re.match(r"( *)([-*]|\d+\.) ", line)
        if item and before.strip() and not re.match(r" *([-*]|\d+\.) |  ", before):
            out.append("\n")
        out.append(re.sub(r"^ {2,3}(?=[-*] )", "    ", line))
    return "".join(out)
