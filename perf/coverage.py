"""What intervals and tests promise, measured on made-up benchmarks of which the truth is known: ``python -m perf.coverage``.

Writes ``leaderboard/statistics/coverage.json``, from which Markdown, LaTeX, page and docs/how-to-read-a-table.md take every
figure of coverage they quote. Takes some five minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from perf.coverage_intervals import (
    covered_amounts,
    covered_counted,
    covered_differences,
    covered_pooled,
    covered_shares,
    covered_yes_or_no,
)
from perf.coverage_page import write_section
from perf.coverage_tests import (
    family_errors,
    found_of_detectable,
    pooled_errors,
    twice,
    wrongly_equivalent,
)
from perf.made_up import AMOUNTS, SEED_SDS, SEEDS, SHARES, SUBJECTS

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "leaderboard" / "statistics" / "coverage.json"
DIFFERENCES = ("a tenth 0", "mostly low")
RATES = (0.1, 0.3, 0.5)
"""Shares of subjects in whom anything is detected."""

Cells = list[dict[str, Any]]


def settings() -> Iterator[dict[str, Any]]:
    """Yield subjects, seeds and the standard deviation of trainings."""
    for subjects in SUBJECTS:
        yield {"subjects": subjects, "seeds": 1, "sd": 0.0}
        for sd in SEED_SDS:
            yield {"subjects": subjects, "seeds": SEEDS, "sd": sd}


def intervals(cases: int, fewer: int) -> dict[str, Cells]:
    """Return how often each kind of interval holds the truth."""
    return {
        "shares": [
            {"shape": shape, **one, "covered": covered_shares(shape, cases=cases, **one)}
            for shape in SHARES
            for one in settings()
        ],
        "amounts": [
            {"shape": shape, **one, "covered": covered_amounts(shape, cases=cases, **one)}
            for shape in AMOUNTS
            for one in settings()
        ],
        "counted": [{**one, "covered": covered_counted(cases=cases, **one)} for one in settings()],
        "differences": [
            {"shape": shape, **one, "covered": covered_differences(shape, cases=fewer, **one)}
            for shape in DIFFERENCES
            for one in settings()
        ],
        "pooled": [
            {"subjects": n, "seeds": k, "covered": covered_pooled(n, k, fewer)}
            for k in (1, SEEDS)
            for n in SUBJECTS
        ],
        "yes_or_no": [
            {"shape": f"{rate:g}", **one, "covered": covered_yes_or_no(rate, cases=cases, **one)}
            for rate in RATES
            for one in settings()
        ],
    }


def tests(cases: int) -> dict[str, Cells]:
    """Return how often each test finds what is not there; and of the difference said to be found, how often it is."""
    found: dict[str, Cells] = {"twice": [], "families": []}
    for n in (10, 30, 250):
        for sd in SEED_SDS:
            for noise in (0.02, 0.1):
                by_mean, by_ranks = twice(n, sd, noise, cases)
                cell = {"subjects": n, "sd": sd, "noise": noise}
                found["twice"].append({**cell, "different": by_mean, "by_ranks": by_ranks})
    for n in (8, 10, 30, 250):
        for seeds in (1, SEEDS):
            for differing in (0, 2):
                wrong, ranks = family_errors(n, seeds, differing, cases)
                cell = {"subjects": n, "seeds": seeds, "differing": differing}
                found["families"].append({**cell, "wrong": wrong, "by_ranks": ranks})
    found["pooled_tests"] = [
        {"subjects": n, "seeds": k, "differing": d, "wrong": pooled_errors(n, k, d, cases)}
        for n in (8, 10, 30, 60)
        for k in (1, SEEDS)
        for d in (0, 1)
    ]
    found["equivalent"] = [
        {"subjects": n, "seeds": k, "wrong": wrongly_equivalent(n, k, cases)}
        for n in SUBJECTS
        for k in (1, SEEDS)
    ]
    found["power"] = [
        {"subjects": n, "seeds": k, "found": found_of_detectable(n, k, max(cases // 4, 100))}
        for n in (10, 30, 60)
        for k in (1, SEEDS)
    ]
    return found


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=4000, help="of each setting of an interval")
    parser.add_argument("--tests", type=int, default=1000, help="of each setting of a test")
    parser.add_argument("--out", type=Path, default=TARGET)
    given = parser.parse_args()
    found: dict[str, Any] = {
        "made_by": "python -m perf.coverage",
        "cases": given.cases,
        "cases_of_tests": given.tests,
        **intervals(given.cases, given.tests),
        **tests(given.tests),
    }
    rounded = json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 4))
    given.out.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
    if given.out == TARGET:
        write_section(rounded)


if __name__ == "__main__":
    main()
