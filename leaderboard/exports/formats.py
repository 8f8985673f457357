"""Every export and its option of ``compare``, once. To add one, see docs/add-an-export.md.

Light: an export's function is named, and imported only when its option is given.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leaderboard.compare import Comparison


@dataclass(frozen=True)
class Export:
    """One way to write a comparison.

    Parameters
    ----------
    option : str
        Name of the option, without its dashes; lower case.
    help : str
        What the option does, for ``compare --help``.
    suffix : str
        How the file's name usually ends; "" for a folder.
    text : str or callable
        ``module:function``, or the function itself: from a :class:`leaderboard.compare.Comparison` to the text of the
        file. This is all that most exports need.
    write : str or callable
        In place of ``text``, for what is more than the text of one file: called with the comparison, the path given,
        and the figures that this command has drawn so far; returns what was written, in words, or None for the path.
    draws : bool
        Whether it draws what others show; it is then made before them.

    Raises
    ------
    ValueError
        For an entry with neither or both.
    """

    option: str
    help: str
    suffix: str
    text: str | Callable[..., str] = ""
    write: str | Callable[..., str | None] = ""
    draws: bool = False

    def __post_init__(self) -> None:
        if bool(self.text) == bool(self.write):
            raise ValueError(f"export '{self.option}': either text or write wanted")

    def run(self, comparison: Comparison, path: Path, drawn: list[Path]) -> str:
        """Write a comparison and return what was written, in words.

        Parameters
        ----------
        comparison : Comparison
            From :func:`leaderboard.compare.compare`.
        path : Path
            What the option was given.
        drawn : list of Path
            Figures drawn by this command; an export that draws adds its own.

        Raises
        ------
        UserError
            When it cannot be written.
        """
        if self.write:
            return _function(self.write)(comparison, path, drawn) or str(path)
        from andi_bench.files import write_atomically

        write_atomically(path, _function(self.text)(comparison))
        return str(path)


def _function(found: str | Callable[..., Any]) -> Callable[..., Any]:
    if not isinstance(found, str):
        return found
    module, _, name = found.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


_ENTRIES = (
    Export(
        "markdown",
        "write the leaderboard as Markdown, and beside it <name>-details.md",
        ".md",
        write="leaderboard.exports.markdown:write_markdown",
    ),
    Export(
        "csv",
        "write the leaderboard as CSV, a row a line",
        ".csv",
        text="leaderboard.exports.csv_text:to_csv",
    ),
    Export(
        "csv-long",
        "write every subject's figures as CSV, one value a line, for R or pandas",
        ".csv",
        text="leaderboard.exports.csv_long:to_long_csv",
    ),
    Export(
        "latex",
        "write the leaderboard as LaTeX, and beside it the methods' papers as BibTeX",
        ".tex",
        write="leaderboard.exports.latex:write_latex",
    ),
    Export(
        "checklist",
        "write a reporting checklist (CLAIM, Metrics Reloaded), filled in from the records, as Markdown",
        ".md",
        text="leaderboard.exports.checklist:to_checklist",
    ),
    Export(
        "figures",
        "folder to draw figures into, as SVG and PNG",
        "",
        write="leaderboard.exports.drawings:write_drawings",
        draws=True,
    ),
    Export(
        "html",
        "write a page with figures and viewers: one file.html, or a folder without limit of size",
        ".html",
        write="leaderboard.exports.page.render:write_html",
    ),
)

EXPORTS = {export.option: export for export in _ENTRIES}
"""Every export by its option, in the order of ``compare --help``."""


def in_order(asked: dict[str, Path]) -> list[tuple[Export, Path]]:
    """Return the exports asked for in the order in which they are made: what draws first, for others show it."""
    found = [(EXPORTS[option], path) for option, path in asked.items()]
    return sorted(found, key=lambda pair: not pair[0].draws)
