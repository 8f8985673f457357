"""Sub-groups and the paper's protocol as rows of text, for the terminal and for Markdown."""

from __future__ import annotations

from andi_bench.metrics.compared import compared_in_groups, title_of
from andi_bench.metrics.points import RANKING
from andi_bench.names import counted
from andi_bench.records.schema import SMALLEST_GROUP
from leaderboard.statistics.group_tests import GroupContrast, GroupTests
from leaderboard.statistics.rankings import ALPHA
from leaderboard.tables.cells import DASH, number, with_interval
from leaderboard.tables.comparability import keeps_outside
from leaderboard.tables.subgroups import GroupRow, GroupTable
from leaderboard.tables.table import Table
from leaderboard.words.differences import p_text

_SHOWN = (RANKING, "ap", "pooled_ap")
"""What a table by sub-group shows; the exports have more."""

_GROUP_WORDS = ("Group", "Subjects", "Method", "Pipeline")
GROUP_HEADS = (*_GROUP_WORDS, *map(title_of, _SHOWN))
GROUP_NUMBERS = ("Subjects", *GROUP_HEADS[len(_GROUP_WORDS) :])
CONTRAST_HEADS = ("Group", "n", "What", "Group less others", "p", "p (all)")
CONTRAST_NUMBERS = ("n", *CONTRAST_HEADS[3:])
_LESION_FREE = [one for one in compared_in_groups() if one.metric.over == "lesion-free"]
FREE_HEADS = (
    "Group",
    "Lesion-free",
    "Method",
    "Pipeline",
    *(one.metric.title.removesuffix(", lesion-free") for one in _LESION_FREE),
)
FREE_NUMBERS = ("Lesion-free", *FREE_HEADS[4:])
_PAPER_RESULTS = ("Best Dice", "at threshold", "Yen Dice", "AUPRC")
PAPER_HEADS = ("Method", "Seed", "Pipeline", "Window", *_PAPER_RESULTS)
PAPER_NUMBERS = ("Seed", *_PAPER_RESULTS)
PAPER_NOTE = (
    "The protocol of the ANDi publication's code: every voxel of the grid counts, all maps of the test set are scaled "
    "together, and the best Dice is searched for on the test set within a fixed window. For comparison with published "
    "numbers only; it never ranks. 'edge': the best threshold is an end of the window, so a better one may lie outside."
)


def group_cells(table: GroupTable) -> list[list[str]]:
    """Return the rows of a table by sub-group, under :data:`GROUP_HEADS`; a group of too few subjects is one line that says so."""
    out: list[list[str]] = []
    last = None
    for row in table.rows:
        new = row.group != last
        last = row.group
        if row.subjects < SMALLEST_GROUP:
            nothing = [""] * (len(GROUP_HEADS) - 3)
            out += [[row.group, str(row.subjects), _too_few(row.subjects), *nothing]] if new else []
            continue
        out.append(
            [
                row.group if new else "",
                str(row.subjects) if new else "",
                row.label,
                row.chain,
                *(_cell(row, key) for key in _SHOWN),
            ]
        )
    return out


def _cell(row: GroupRow, key: str, digits: int = 3) -> str:
    """Return a figure; where it rests on too few subjects, how many they are."""
    count = row.counts[key]
    few = 0 < count < SMALLEST_GROUP
    return _too_few(count) if few else with_interval(row.figures[key], digits)


def _too_few(subjects: int) -> str:
    return f"n = {subjects}: too few"


def contrast_sentences(found: GroupTests) -> list[str]:
    """Say what the tests of a grouping found: every significant statement, or that there is none."""
    title = title_of(found.metric)
    lines = [f"{group}: n = {size}, too few to be tested." for group, size in found.too_few if size]
    if not found.contrasts:
        return [
            *lines,
            f"No test by {found.by}: it takes a group of {SMALLEST_GROUP} subjects with {title} in every row, and {SMALLEST_GROUP} others.",
        ]
    known = [one for one in found.contrasts if one.adjusted < ALPHA]
    lines.append(
        f"{title} over {counted(found.subjects, 'subject')}, each group against the others: {len(known)} of {counted(len(found.contrasts), 'statement')} "
        "significant at 5 % (methods, differences of two methods and groups corrected together, labels permuted)."
    )
    for one in known:
        lines.append(f"{_what(one)}: {_where(one)} (p {p_text(one.adjusted, found.floor)}).")
    if not known:
        lines.append(
            "That is no proof that groups are alike: few subjects show large differences only."
        )
    return lines


def contrast_cells(found: GroupTests) -> list[list[str]]:
    """Return every statement under :data:`CONTRAST_HEADS`."""
    return [
        [
            one.group,
            str(one.subjects),
            _what(one),
            f"{one.difference:+.3f}",
            p_text(one.p, found.floor),
            p_text(one.adjusted, found.floor),
        ]
        for one in found.contrasts
    ]


def _what(one: GroupContrast) -> str:
    if one.second is None:
        return one.first[0]
    return f"{one.first[0]} less {one.second[0]}"


def _where(one: GroupContrast) -> str:
    more = "higher" if one.difference > 0 else "lower"
    return f"{more} by {abs(one.difference):.3f} in {one.group} (n = {one.subjects}) than elsewhere (n = {one.others})"


def free_cells(table: GroupTable) -> list[list[str]]:
    """Return what is detected in the subjects without a lesion of each sub-group, under :data:`FREE_HEADS`; [] for none."""
    out, last = [], None
    for row in table.rows:
        if not row.lesion_free:
            continue
        new, last = row.group != last, row.group
        figures = [_cell(row, one.key, one.metric.digits) for one in _LESION_FREE]
        count = str(row.lesion_free) if new else ""
        out.append([row.group if new else "", count, row.label, row.chain, *figures])
    return out


def paper_cells(table: Table) -> list[list[str]]:
    """Return what runs of a table gave by the paper's protocol, under :data:`PAPER_HEADS`; [] for nothing."""
    out = []
    labels = {run.run.identity: row.label for row in table.rows for run in row.runs}
    for run in table.runs:
        if run.paper is None:
            continue
        low, high = run.paper.window
        how = "" if run.paper.min_max else ", not scaled"
        how += ", with scores outside the brain" if keeps_outside(run) else ""
        for chain, found in run.paper.chains.items():
            out.append(
                [
                    labels.get(run.run.identity, run.run.label),
                    str(run.run.seed),
                    chain,
                    f"{low:g} to {high:g}{how}",
                    number(found.dice),
                    number(found.threshold) + (" (edge)" if found.edge else ""),
                    number(found.yen_dice),
                    number(found.auprc) if found.auprc is not None else DASH,
                ]
            )
    return out
