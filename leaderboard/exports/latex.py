"""The leaderboard as LaTeX tables: booktabs, nothing else needed, every mark escaped."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.compare import Comparison
from leaderboard.tables.cells import DASH, MAIN_PRIORITY, Column
from leaderboard.tables.columns import columns_of
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table
from leaderboard.words.across_text import (
    CROSSED,
    RANKS_MEAN,
    agreement_sentence,
    cross_listing,
    ranks_listing,
)
from leaderboard.words.differences import RANK_NUMBERS, rank_cells, rank_heads
from leaderboard.words.headline import headline
from leaderboard.words.how import how_tested
from leaderboard.words.notes import heading_of, notes_of
from leaderboard.words.pipeline_text import title_in_words
from leaderboard.words.verdicts import bold_rows, sentences

HEADER = "% Written by andi-bench; in the preamble: \\usepackage{booktabs}\n"
_MARKS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "–": "--",
    "—": "---",
    "−": r"$-$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "∩": r"$\cap$",
    "µ": r"$\mu$",
    "…": r"\ldots{}",
    "’": "'",
    "[": "{[}",
    "]": "{]}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
}


def to_latex(comparison: Comparison) -> str:
    """Return the tables of a comparison as LaTeX: per table a leaderboard, and ranks and groups of its methods.

    How differences are tested stands in comments. Compiles with pdfLaTeX and the ``booktabs`` package; in the given
    order of rows.
    """
    parts = [HEADER + "".join(f"% {text}\n" for text in how_tested())]
    for table in comparison.tables:
        parts.append(_leaderboard(comparison, table))
        family = comparison.statistics_of(table).family
        if family is not None and family.rankings:
            cells = _escaped_cells(rank_cells(family))
            caption = f"{title_in_words(table)}: ranks and groups of {family.name}"
            notes = [*sentences(family), *family.warnings]
            parts.append(_tabular(rank_heads(family), RANK_NUMBERS, cells, caption, notes))
    return "\n".join([*parts, *_across(comparison)])


def _across(comparison: Comparison) -> list[str]:
    """Return mean ranks and what was trained on one data set and tested on another; agreements stand below the ranks."""
    taus = [agreement_sentence(one) for one in comparison.agreements]
    listed = [(ranks_listing(one), [RANKS_MEAN, *taus]) for one in comparison.mean_ranks]
    listed += [(cross_listing(one), [CROSSED]) for one in comparison.crossed]
    return [
        _tabular(found.heads, found.numbers, _escaped_cells(found.cells), found.title, notes)
        for found, notes in listed
    ]


def _escaped_cells(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[escaped(cell) for cell in line] for line in lines]


def escaped(text: str) -> str:
    """Return text that LaTeX prints as it is; what pdfLaTeX has no letter for becomes its code point."""
    out = []
    for mark in " ".join(text.split()):
        if mark in _MARKS:
            out.append(_MARKS[mark])
        elif mark.isprintable() and (ord(mark) < 0x80 or 0xBF < ord(mark) < 0x180):
            out.append(mark)
        else:
            out.append(f"U+{ord(mark):04X}")
    return "".join(out)


def _leaderboard(comparison: Comparison, table: Table) -> str:
    columns = [column for column in columns_of(table) if column.priority <= MAIN_PRIORITY]
    statistics = comparison.statistics_of(table)
    strong = bold_rows(table.metric, statistics)
    cells = [
        [_cell(column, row, row.key in strong.get(column.metric, set())) for column in columns]
        for row in table.shown
    ]
    numbers = [column.header for column in columns if column.number]
    caption = f"{title_in_words(table)}: {headline(table, statistics)} ({heading_of(table)})"
    if table.differs:
        caption += f" (measured differently: {'; '.join(table.differs)})"
    return _tabular([column.header for column in columns], numbers, cells, caption, notes_of(table))


def _cell(column: Column, row: Row, strong: bool) -> str:
    text = escaped(column.cell(row).text)
    head, space, rest = text.partition(" ")
    return rf"\textbf{{{head}}}{space}{rest}" if strong and text != escaped(DASH) else text


def _tabular(
    heads: Sequence[str],
    numbers: Sequence[str],
    cells: Sequence[Sequence[str]],
    caption: str,
    notes: Sequence[str],
) -> str:
    align = "".join("r" if head in numbers else "l" for head in heads)
    lines = [
        r"\begin{table*}",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{escaped(caption)}.}}",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        " & ".join(escaped(head) for head in heads) + r" \\",
        r"\midrule",
        *(" & ".join(line) + r" \\" for line in cells),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip{{\scriptsize {escaped(note)}\par}}" for note in notes),
        r"\end{table*}",
        "",
    ]
    return "\n".join(lines)
