"""A comparison as LaTeX: a table as wide as the text for every table, how it was measured, and a bibliography of the methods."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from leaderboard.compare import Comparison
from leaderboard.exports.bibtex import bibliography_of
from leaderboard.exports.latex_text import breakable, escaped
from leaderboard.statistics.family import TableStatistics
from leaderboard.tables.cells import DASH
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table
from leaderboard.words.across_text import (
    CROSSED,
    RANKS_MEAN,
    agreement_sentence,
    cross_listing,
    cross_notes,
    ranks_listing,
)
from leaderboard.words.citing.papers import papers_of
from leaderboard.words.headline import headline
from leaderboard.words.how import how_tested
from leaderboard.words.main_table import Figure, MainColumn, main_columns
from leaderboard.words.methods_text import dated, methods_paragraph
from leaderboard.words.notes import first_notes
from leaderboard.words.pipeline_text import title_in_words
from leaderboard.words.verdicts import bold_rows, power_sentences

HEADER = "% Written by andi-bench; in the preamble: \\usepackage{booktabs,siunitx}\n"
_HEAD_WIDTH = 12
_METHOD = r">{\raggedright\arraybackslash}p{0.17\textwidth}"


def write_latex(comparison: Comparison, path: Path, drawn: Sequence[Path] = ()) -> str:
    """Write the tables, and beside them ``<name>.bib`` where the records name publications; return what was written, in words.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.
    path : Path
        File to write.
    drawn : sequence of Path
        Not needed.

    Raises
    ------
    UserError
        When it cannot be written, or is named like its bibliography.
    """
    bibliography = path.with_suffix(".bib")
    if bibliography == path:
        raise UserError(
            f"{path}: this becomes the bibliography, another ending wanted, such as .tex"
        )
    papers = papers_of(_rows(comparison))
    write_atomically(path, to_latex(comparison))
    if not papers:
        return str(path)
    write_atomically(bibliography, bibliography_of(papers))
    return f"{path}, publications in {bibliography}"


def to_latex(comparison: Comparison) -> str:
    """Return the tables of a comparison as LaTeX, with a paragraph for the methods section below each.

    How differences are tested stands in comments. Compiles with the packages ``booktabs`` and ``siunitx``; references to
    the methods' publications are to :func:`leaderboard.exports.bibtex.bibliography_of`.
    """
    parts = [HEADER + "".join(f"% {text}\n" for text in how_tested())]
    for table in comparison.tables:
        statistics = comparison.statistics_of(table)
        parts += [_leaderboard(table, statistics), _paragraph(table, statistics)]
    cited = [
        rf"{escaped(', '.join(paper.labels))}~\cite{{{paper.key}}}"
        for paper in papers_of(_rows(comparison))
    ]
    if cited:
        text = rf"\paragraph{{Methods compared.}} {'; '.join(cited)}."
        parts.append(rf"{{\sloppy {text}\par}}" + "\n")
    return "\n".join([*parts, *_across(comparison)])


def _rows(comparison: Comparison) -> list[Row]:
    return [row for table in comparison.tables for row in table.shown]


def _leaderboard(table: Table, statistics: TableStatistics) -> str:
    """Return the table of the first screen, a row in two lines: intervals stand below their numbers."""
    columns = [one for column in main_columns(table, statistics) for one in column.apart()]
    strong = bold_rows(table.metric, statistics)[table.metric]
    caption = f"{title_in_words(table)}: {headline(table, statistics)} ({dated(table)})"
    if table.differs:
        caption += f" (measured differently: {'; '.join(table.differs)})"
    lines = []
    for place, row in enumerate(table.shown):
        if place and place == len(table.rows):
            lines.append(r"\midrule")
        figures = [column.cells[place][0] for column in columns]
        bold = [row.key in strong and column.ranks for column in columns]
        first = map(_first, columns, figures, bold)
        lines.append(" & ".join(first) + r" \\")
        below = [_below(column, figure) for column, figure in zip(columns, figures, strict=True)]
        if any(below):
            lines.append(" & ".join(below) + r" \\[2pt]")
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering\footnotesize\setlength{\tabcolsep}{2.5pt}",
            rf"\caption{{{escaped(caption)}.}}",
            rf"\begin{{tabular}}{{@{{}}{''.join(map(_aligned, columns))}@{{}}}}",
            r"\toprule",
            " & ".join(map(_head, columns)) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table*}",
            "",
        ]
    )


def _aligned(column: MainColumn) -> str:
    """Return the specification of a column: numbers stand below each other by their points."""
    if column.kind == "group":
        return "l"
    if column.kind == "method":
        return _METHOD
    known = [found for (one,) in column.cells if (found := _number(one.text)) is not None]
    whole = max((len(text.lstrip("+-").partition(".")[0]) for text in known), default=1)
    decimals = max((len(text.partition(".")[2]) for text in known), default=0)
    sign = "+" if any(text[0] in "+-" for text in known) else ""
    return f"S[table-format={sign}{whole}.{decimals},retain-explicit-plus]"


def _number(text: str) -> str | None:
    """Return a number as siunitx reads it; None for words."""
    found = re.fullmatch(r"([+-]?)(\d*)(\.\d+)?", text.replace(",", ""))
    if found is None or not (found[2] or found[3]):
        return None
    return f"{found[1]}{found[2] or '0'}{found[3] or ''}"


def _head(column: MainColumn) -> str:
    lines: list[str] = []
    for word in column.head.replace("@", " @").split():
        if lines and len(lines[-1]) + 1 + len(word) <= _HEAD_WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    lines = [escaped(line) for line in lines]
    if column.size:
        lines.append(f"${column.size}$" if "to" not in column.size else escaped(column.size))
    if not column.number:
        return lines[0]
    return r"{\shortstack[r]{" + r"\\".join(lines) + "}}"


def _first(column: MainColumn, figure: Figure, bold: bool) -> str:
    if column.kind == "method":
        return breakable(figure.text)
    if column.kind == "group":
        return escaped(figure.text)
    number = _number(figure.text)
    if number is None:
        return "{--}" if figure.text == DASH else f"{{{escaped(figure.text)}}}"
    return rf"{{\bfseries {number}}}" if bold else number


def _below(column: MainColumn, figure: Figure) -> str:
    if not figure.limits:
        return ""
    text = rf"\scriptsize {escaped(figure.limits)}"
    return f"{{{text}}}"


def _paragraph(table: Table, statistics: TableStatistics) -> str:
    family = statistics.family
    notes = [*(power_sentences(family) if family else []), *first_notes(table)]
    warnings = [*(family.warnings if family else ()), *statistics.warnings]
    said = [methods_paragraph(table, statistics), *notes, *(f"{text}." for text in warnings)]
    head = rf"\paragraph{{Evaluation on {escaped(title_in_words(table))}.}}"
    return rf"{{\sloppy {head} {escaped(' '.join(said))}\par}}" + "\n"


def _across(comparison: Comparison) -> list[str]:
    """Return mean ranks, how far data sets agree, and what was trained on one data set and tested on another."""
    taus = [agreement_sentence(one) for one in comparison.agreements]
    listed = [(ranks_listing(one), [RANKS_MEAN, *taus]) for one in comparison.mean_ranks]
    listed += [(cross_listing(one), [CROSSED, *cross_notes(one)]) for one in comparison.crossed]
    return [
        _tabular(found.heads, found.numbers, found.cells, found.title, notes)
        for found, notes in listed
    ]


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
        r"\centering\footnotesize\setlength{\tabcolsep}{2.5pt}",
        rf"\caption{{{escaped(caption)}.}}",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        " & ".join(escaped(head) for head in heads) + r" \\",
        r"\midrule",
        *(" & ".join(map(escaped, line)) + r" \\" for line in cells),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip{{\scriptsize {escaped(note)}\par}}" for note in notes),
        r"\end{table*}",
        "",
    ]
    return "\n".join(lines)
