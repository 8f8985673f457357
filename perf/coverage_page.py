"""The section of docs/how-to-read-a-table.md that says how far intervals and tests keep their promises."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from leaderboard.words.promises import GOOD, INTERVALS
from perf.made_up import SUBJECTS
from scripts.marked_place import write

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to-read-a-table.md"
BEGIN, END = "<!-- from coverage.json -->", "<!-- end -->"


def section_of(found: dict[str, Any]) -> str:
    """Return the section in Markdown, from the content of ``coverage.json``."""
    return "\n".join([*_intervals(found), "", *_tests(found)])


def write_section(found: dict[str, Any], page: Path = PAGE) -> None:
    """Write the section anew between its two marks."""
    write(page, BEGIN, section_of(found), END)


def _intervals(found: dict[str, Any]) -> Iterator[str]:
    low, high = (f"{100 * limit:.0f}" for limit in GOOD)
    yield (
        f"In how many of {found['cases']:,} simulated benchmarks ({found['cases_of_tests']:,} for differences and pooled AP) the 95 % "
        f"brackets held the truth, in per cent: the lowest and the highest over the shapes that were tried. **Bold**: outside {low} to {high}."
    )
    yield ""
    yield f"| brackets of | trainings | {' | '.join(f'{n} patients' for n in SUBJECTS)} |"
    yield f"| --- | --- |{' --- |' * len(SUBJECTS)}"
    for kind, name in INTERVALS.items():
        for (seeds, sd), cells in _by_training(found[kind]):
            line = [_held([c for c in cells if c["subjects"] == n]) for n in SUBJECTS]
            yield f"| {name} | {_trainings(seeds, sd)} | {' | '.join(line)} |"


def _by_training(cells: Sequence[dict[str, Any]]) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    def key(cell: dict[str, Any]) -> tuple[int, float]:
        return cell["seeds"], cell.get("sd", -1.0)

    for own, part in itertools.groupby(sorted(cells, key=key), key):
        yield own, list(part)


def _trainings(seeds: int, sd: float) -> str:
    if seeds == 1:
        return "one"
    return f"{seeds} seeds" + (f", SD {sd:g}" if sd >= 0 else "")


def _held(cells: Sequence[dict[str, Any]]) -> str:
    values = [cell["covered"] for cell in cells]
    text = "–".join(dict.fromkeys(f"{100 * value:.1f}" for value in (min(values), max(values))))
    return text if GOOD[0] <= min(values) and max(values) <= GOOD[1] else f"**{text}**"


def _tests(found: dict[str, Any]) -> Iterator[str]:
    ranks = [cell for cell in found["families"] if cell["by_ranks"] is not None]
    yield f"In how many of {found['cases_of_tests']:,} simulated benchmarks a test at 5 % found what is not there:"
    yield ""
    yield "| test | wrong, per cent |"
    yield "| --- | --- |"
    for name, cells, key in (
        ("one method trained twice, 3 seeds each", found["twice"], "different"),
        ("the same by Wilcoxon, which knows nothing of trainings", found["twice"], "by_ranks"),
        ("five methods, all or three of them equal", found["families"], "wrong"),
        ("the same by Wilcoxon with Holm, one seed", ranks, "by_ranks"),
        ("pooled AP of three methods, all or two of them equal", found["pooled_tests"], "wrong"),
        ("equivalent, where the difference is the margin", found["equivalent"], "wrong"),
    ):
        yield f"| {name} | {_range(cells, key)} |"
    yield ""
    yield (
        "The difference of which a table says that it is found in 4 of 5 repetitions was found in "
        f"{_range(found['power'], 'found')} per cent of them."
    )


def _range(cells: Sequence[dict[str, Any]], key: str) -> str:
    values = [cell[key] for cell in cells]
    return f"{100 * min(values):.1f} to {100 * max(values):.1f}"
