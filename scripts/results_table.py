"""The real scans' table in docs/results.md, out of the published runs: ``python -m scripts.results_table`` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from andi_bench.records.store import read_record
from scripts.marked_place import write

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results.md"
RESULTS = ROOT / "leaderboard" / "results"
BEGIN = "<!-- table: python -m scripts.results_table -->"
SETS = (
    ("brats21-pilot", False, "BraTS 2021, two patients"),
    ("brats21-pilot", True, "the same, on the scans' own grids"),
    ("brats-africa-pilot", False, "BraTS-Africa, ten"),
    ("ms-pilot", False, "MS, two"),
)
"""Folder of the published runs, whether measured on the scans' own grids, and the heading."""
PLAIN = ("thresholding", "voxel-statistics")
"""What learns nothing, or no network: above the others, which they are to beat."""


class Figures(NamedTuple):
    """What one run has: pooled AP of raw and of filtered maps, and the mean AP per subject of filtered ones."""

    raw: float
    filtered: float
    per_subject: float


Column = dict[str, list[Figures]]


def text() -> str:
    """Return the table, and below it which learnt methods are ahead of plain thresholding, data set by data set."""
    columns = [_column(folder, own_grid) for folder, own_grid, _ in SETS]
    methods = [*PLAIN, *sorted({name for column in columns for name in column}.difference(PLAIN))]
    lines = [
        f"| Method | Seeds | {' | '.join(title for *_, title in SETS)} |",
        f"| :-- | --: |{' --: |' * len(SETS)}",
        *(f"| {name} | {_seeds(name, columns)} | {_cells(name, columns)} |" for name in methods),
    ]
    ahead = [
        f"| {title} | {_ahead(column, 'filtered')} | {_ahead(column, 'per_subject')} |"
        for column, (*_, title) in zip(columns, SETS, strict=True)
    ]
    told = "Learnt methods above `thresholding` by filtered maps, highest first. The list depends on the figure:"
    heads = ["| | by pooled AP | by mean AP per subject |", "| :-- | :-- | :-- |"]
    return "\n".join([*lines, "", told, "", *heads, *ahead])


def _column(folder: str, own_grid: bool) -> Column:
    """Return what each method's runs have, a seed each."""
    column: Column = {}
    for path in sorted(one for one in (RESULTS / folder).iterdir() if one.is_dir()):
        record = read_record(path)
        results = record.native if own_grid else record
        assert results is not None, f"{path}: nothing on the scan's own grid"
        raw, filtered = results.summary.values()
        values = raw.pooled.ap, filtered.pooled.ap, filtered.subjects["ap"].mean
        known = [value for value in values if value is not None]
        assert len(known) == len(values), f"{path}: no AP"
        column.setdefault(record.run.method, []).append(Figures(*known))
    return column


def _seeds(name: str, columns: Sequence[Column]) -> str:
    numbers = sorted({len(column[name]) for column in columns if name in column})
    return " to ".join(map(str, dict.fromkeys((numbers[0], numbers[-1]))))


def _cells(name: str, columns: Sequence[Column]) -> str:
    means = [_mean(column[name]) if name in column else None for column in columns]
    return " | ".join(
        "–" if mean is None else f"{_short(mean.raw)} / {_short(mean.filtered)}" for mean in means
    )


def _mean(runs: Sequence[Figures]) -> Figures:
    return Figures(*(fmean(values) for values in zip(*runs, strict=True)))


def _ahead(column: Column, figure: str) -> str:
    value = {name: getattr(_mean(runs), figure) for name, runs in column.items()}
    ahead = {name for name in value if value[name] > value["thresholding"]}.difference(PLAIN)
    return ", ".join(f"`{name}`" for name in sorted(ahead, key=lambda name: -value[name])) or "none"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    write(PAGE, BEGIN, text())
