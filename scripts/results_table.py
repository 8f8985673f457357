"""The real scans' table in docs/results.md, out of the published runs: ``python -m scripts.results_table`` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from andi_bench.records.schema import RunRecord
from andi_bench.records.store import read_record

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results.md"
RESULTS = ROOT / "leaderboard" / "results"
BEGIN, END = "<!-- table: python -m scripts.results_table -->", "<!-- end of the table -->"
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


def text() -> str:
    """Return the table, and below it which learnt methods are ahead of plain thresholding, data set by data set."""
    columns = [_column(folder, own_grid) for folder, own_grid, _ in SETS]
    seeds = _seeds(SETS[0][0])
    methods = sorted(set(seeds) - set(PLAIN))
    lines = [
        f"| Method | Seeds | {' | '.join(title for *_, title in SETS)} |",
        f"| :-- | --: |{' --: |' * len(SETS)}",
    ]
    for method in (*PLAIN, *methods):
        cells = [f"{_short(column[method][0])} / {_short(column[method][1])}" for column in columns]
        lines.append(f"| {method} | {seeds[method]} | {' | '.join(cells)} |")
    ahead = [
        f"- {title}: {', '.join(f'`{name}`' for name in _ahead(column, methods)) or 'none'}"
        for column, (*_, title) in zip(columns, SETS, strict=True)
    ]
    return "\n".join(
        [*lines, "", "Higher than `thresholding`, filtered maps, highest first:", "", *ahead]
    )


def _records(folder: str) -> list[RunRecord]:
    return [read_record(path) for path in sorted((RESULTS / folder).iterdir()) if path.is_dir()]


def _seeds(folder: str) -> dict[str, int]:
    methods = [record.run.method for record in _records(folder)]
    return {method: methods.count(method) for method in methods}


def _column(folder: str, own_grid: bool) -> dict[str, Pair]:
    """Return each method's pooled AP of raw and of filtered maps, means over its seeds."""
    found: dict[str, list[Pair]] = {}
    for record in _records(folder):
        summary = record.native.summary if own_grid and record.native else record.summary
        raw, filtered = (results.pooled.ap for results in summary.values())
        assert raw is not None, f"{record.run.label}: no pooled AP"
        assert filtered is not None, f"{record.run.label}: no pooled AP"
        found.setdefault(record.run.method, []).append((raw, filtered))
    return {name: _mean(pairs) for name, pairs in found.items()}


def _mean(pairs: Sequence[Pair]) -> Pair:
    return fmean(raw for raw, _ in pairs), fmean(filtered for _, filtered in pairs)


def _ahead(column: dict[str, Pair], methods: Sequence[str]) -> list[str]:
    bar = column["thresholding"][1]
    return sorted((one for one in methods if column[one][1] > bar), key=lambda one: -column[one][1])


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{text()}\n{END}{rest.split(END)[1]}", encoding="utf-8")
