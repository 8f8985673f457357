"""A comparison as GitHub Markdown: one page to read, and beside it one with all details. The same records give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from andi_bench.files import write_atomically
from andi_bench.names import counted
from leaderboard.compare import Comparison
from leaderboard.exports.markdown_cells import aligned, escaped, listed, warned
from leaderboard.exports.markdown_details import to_details
from leaderboard.statistics.family import TableStatistics
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table
from leaderboard.words.across_text import agreement_sentence
from leaderboard.words.citing.papers import address_of
from leaderboard.words.group_text import contrast_sentences
from leaderboard.words.headline import headline
from leaderboard.words.main_table import Figure, MainColumn, main_columns
from leaderboard.words.methods_text import dated, methods_paragraph
from leaderboard.words.notes import first_notes, in_short
from leaderboard.words.pipeline_text import title_in_words
from leaderboard.words.verdicts import bold_rows, power_sentences

Links = Sequence[Sequence[tuple[str, str]]]
"""For every table what its figures show, and their files as seen from the page."""

FIRST_FIGURES = ("groups", "dice-subjects", "cost-accuracy")
"""Figures of the first page, by the ends of their files' names; the others stand in the details."""

_FAST = "\N{NO-BREAK SPACE}"


def write_markdown(comparison: Comparison, path: Path, drawn: Sequence[Path] = ()) -> str:
    """Write the comparison as Markdown, and its details beside it, with the figures that were drawn of it.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.
    path : Path
        File to write; the details become ``<name>-details.md`` beside it.
    drawn : sequence of Path
        From :func:`leaderboard.figures.write_figures`.

    Returns
    -------
    str
        Both files, in words.

    Raises
    ------
    UserError
        When they cannot be written.
    """
    links: Links | None = None
    across: Sequence[tuple[str, str]] = ()
    if drawn:
        from leaderboard.figures import crossed_links, figure_links

        links = figure_links(comparison, drawn, path)
        across = crossed_links(comparison, drawn, path)
    details = path.with_name(f"{path.stem}-details{path.suffix}")
    write_atomically(path, to_markdown(comparison, links, details=details.name))
    text = to_details(comparison, links, FIRST_FIGURES, page=path.name, across=across)
    write_atomically(details, text)
    return f"{path}, details in {details}"


def to_markdown(
    comparison: Comparison,
    links: Links | None = None,
    details: str = "",
    head: Sequence[str] = ("# Leaderboard",),
) -> str:
    """Return the first page: for every data set the result, one row a method, three figures, how it was measured.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.
    links : sequence of sequences of (str, str), optional
        For every table what its figures show, and their files (:func:`leaderboard.figures.figure_links`).
    details : str
        The file of :func:`leaderboard.exports.markdown_details.to_details` as seen from the page; "" without one.
    head : sequence of str
        Paragraphs on top, Markdown.
    """
    parts = [*head]
    warned_of: set[str] = set()
    shown = comparison.main_tables
    for place, table in enumerate(comparison.tables):
        if any(table is one for one in shown):
            parts += _page_of(comparison, table, links[place] if links else (), warned_of)
            parts += _beside(comparison, table)
    parts += _across(comparison)
    more = f"[Details]({quote(details)})" if details else "The details"
    parts.append(
        f"{more} have every other figure (thresholds, lesions, surfaces, subjects without a lesion, scans, costs), all tests, what each "
        "column means, guards, and where each method's runs come from."
    )
    if comparison.skipped:
        count = len(comparison.skipped)
        parts.append(f"Left out: {counted(count, 'record')}, with the reason in the details.")
    return "\n\n".join(parts) + "\n"


def _page_of(
    comparison: Comparison, table: Table, links: Sequence[tuple[str, str]], warned_of: set[str]
) -> list[str]:
    """Return what the first page says of a table; a warning that stands there already is not repeated."""
    statistics = comparison.statistics_of(table)
    parts = [
        f"## {escaped(title_in_words(table))}",
        f"**{escaped(headline(table, statistics))}.**",
        f"{escaped(dated(table))}.",
        *([f"Measured differently: {escaped(in_short(table))}."] if table.differs else []),
        main_table(table, statistics),
    ]
    family = statistics.family
    warnings = [*(family.warnings if family else ()), *statistics.warnings]
    new = [line for line in dict.fromkeys(warnings) if line not in warned_of]
    warned_of |= set(new)
    if new:
        parts.append(warned(new))
    parts += _figures(links)
    parts.append(escaped(methods_paragraph(table, statistics)))
    power = power_sentences(family) if family else []
    notes = [*power, *first_notes(table)]
    if notes:
        parts.append(listed(notes))
    for part, tests in comparison.groups_of(table):
        parts += [
            f"Sub-groups by {escaped(part.by)} (their tables stand in the details):",
            listed(contrast_sentences(tests)),
        ]
    return parts


def _figures(links: Sequence[tuple[str, str]]) -> list[str]:
    """Return the figures of the first page side by side, as far as there is room."""
    found = [
        f"![{escaped(caption)}]({quote(file)})"
        for name in FIRST_FIGURES
        for caption, file in links
        if Path(file).stem.endswith(f"-{name}")
    ]
    return ["\n".join(found)] if found else []


def _beside(comparison: Comparison, main: Table) -> list[str]:
    """Return a line for each ranking of the data set that was measured differently, and count the tables without one."""
    others = [
        table
        for table in comparison.tables
        if table is not main and table.dataset == main.dataset and table.view == main.view
    ]
    lines = [
        f"**{escaped(in_short(table))}**: {escaped(headline(table, comparison.statistics_of(table)))}."
        for table in others
        if any(row.rank is not None for row in table.rows)
    ]
    rest = len(others) - len(lines)
    if rest:
        lines.append(f"{counted(rest, 'table')} without ranks.")
    if not lines:
        return []
    return ["Measured differently, so not comparable with this table:", listed(lines, raw=True)]


def _across(comparison: Comparison) -> list[str]:
    if not comparison.agreements:
        return []
    lines = [agreement_sentence(one) for one in comparison.agreements]
    return [
        "## Across data sets",
        "Kendall's tau between the rankings of two data sets:",
        listed(lines),
    ]


def main_table(table: Table, statistics: TableStatistics) -> str:
    """Return the table of the first page: one row a method, references in italics below."""
    columns = main_columns(table, statistics)
    strong = bold_rows(table.metric, statistics)[table.metric]
    cells = [
        [_cell(column, place, row, row.key in strong) for column in columns]
        for place, row in enumerate(table.shown)
    ]
    heads = ["<br>".join(filter(None, (column.whole_head, column.size))) for column in columns]
    return aligned(heads, cells, [column.number for column in columns])


def _cell(column: MainColumn, place: int, row: Row, strong: bool) -> str:
    figures = column.cells[place]
    if column.kind == "group":
        return figures[0].text
    if column.kind == "method":
        return _named(figures[0], row)
    texts = [_together(figure) for figure in figures]
    if strong and column.ranks:
        head, space, rest = texts[0].partition(_FAST)
        texts[0] = f"**{head}**{space}{rest}"
    return "<br>".join(texts)


def _named(name: Figure, row: Row) -> str:
    """Return the name of a method, linked to its publication, with its pipeline."""
    label, address = escaped(name.text), address_of(row)
    if address and not row.reference:
        label = f"[{label}]({address})"
    whole = f"{label}, {escaped(name.limits)}" if name.limits else label
    return f"*{whole}*" if row.reference else whole


def _together(figure: Figure) -> str:
    """Return a figure in which no line breaks."""
    return figure.whole.replace("<", "&lt;").replace(" ", _FAST)
