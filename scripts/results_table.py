"""The real scans' table in docs/results.md, out of the published runs: ``python -m scripts.results_table`` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

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
Pair = tuple[float, float]
Column = dict[str, list[Pair]]


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
        f"- {title}: {', '.join(f'`{name}`' for name in _ahead(column)) or 'none'}"
        for column, (*_, title) in zip(columns, SETS, strict=True)
    ]
    return "\n".join(
        [*lines, "", "Higher than `thresholding`, filtered maps, highest first:", "", *ahead]
    )


def _column(folder: str, own_grid: bool) -> Column:
    """Return for each method and each of its seeds pooled AP of raw and of filtered maps."""
    pairs: dict[str, list[Pair]] = {}
    for path in sorted(one for one in (RESULTS / folder).iterdir() if one.is_dir()):
        record = read_record(path)
        summary = record.native.summary if own_grid and record.native else record.summary
        raw, filtered = (results.pooled.ap for results in summary.values())
        assert raw is not None, f"{path}: no pooled AP"
        assert filtered is not None, f"{path}: no pooled AP"
        pairs.setdefault(record.run.method, []).append((raw, filtered))
    return pairs


def _seeds(name: str, columns: Sequence[Column]) -> str:
    numbers = sorted({len(column[name]) for column in columns if name in column})
    return " to ".join(map(str, dict.fromkeys((numbers[0], numbers[-1]))))


def _cells(name: str, columns: Sequence[Column]) -> str:
    pairs = [_mean(column[name]) if name in column else None for column in columns]
    return " | ".join("–" if pair is None else " / ".join(map(_short, pair)) for pair in pairs)


def _mean(pairs: Sequence[Pair]) -> Pair:
    return fmean(raw for raw, _ in pairs), fmean(filtered for _, filtered in pairs)


def _ahead(column: Column) -> list[str]:
    filtered = {name: _mean(pairs)[1] for name, pairs in column.items()}
    learnt = set(filtered).difference(PLAIN)
    ahead = [name for name in learnt if filtered[name] > filtered["thresholding"]]
    return sorted(ahead, key=lambda name: -filtered[name])


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    write(PAGE, BEGIN, text())
