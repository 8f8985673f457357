"""The metrics' own test: every comparison in turn, and the table that shows how they came out."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version

from andi_bench.console import Console
from andi_bench.names import part_of
from benchmark.conformance.comparison import Comparison
from benchmark.conformance.golden_values import against_golden_values
from benchmark.conformance.metric_references import against_references

CHECKS: tuple[Callable[[], list[Comparison]], ...] = (against_references, against_golden_values)
REFERENCES = ("scikit-learn", "medpy", "numpy", "scipy")


def check_metrics(console: Console | None = None) -> list[Comparison]:
    """Compare our metrics with scikit-learn, medpy and the golden values, on this machine.

    Parameters
    ----------
    console : Console or None
        Receives a line before each group of comparisons.
    """
    console = console or Console(quiet=True)
    found: list[Comparison] = []
    for check in CHECKS:
        console.note(f"metrics: {check.__name__.replace('_', ' ')}")
        found += check()
    return found


def agree(comparisons: Iterable[Comparison]) -> bool:
    """Whether every comparison passed."""
    return all(one.passed for one in comparisons)


def versions() -> dict[str, str]:
    """Return the versions of Python and of what the metrics were compared with."""
    return {"python": platform.python_version()} | {name: version(name) for name in REFERENCES}


def show_metrics(comparisons: Sequence[Comparison], *, as_json: bool) -> None:
    """Print the comparisons, as a table or as JSON (an infinite difference as null)."""
    if as_json:
        rows = [
            {**asdict(one), "passed": one.passed, "difference": _finite(one.difference)}
            for one in comparisons
        ]
        found = {"passed": agree(comparisons), "versions": versions(), "comparisons": rows}
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    from rich.console import Console as RichConsole
    from rich.markup import escape
    from rich.table import Table

    failed = sum(not one.passed for one in comparisons)
    said = (
        part_of(failed, len(comparisons), "comparison", "differs", "differ")
        if failed
        else "all agree"
    )
    table = Table(title=f"metrics: {said}", caption=", ".join(map(" ".join, versions().items())))
    for name in ("metric", "against", "cases", "largest difference", "allowed", "result", "note"):
        numeric = name in ("cases", "largest difference", "allowed")
        table.add_column(name, justify="right" if numeric else "left", no_wrap=name == "metric")
    for one in comparisons:
        note = one.note if one.passed else f"{one.worst}; {one.note}"
        result = "[green]agrees[/]" if one.passed else "[bold red]differs[/]"
        table.add_row(
            escape(one.metric),
            escape(one.against),
            str(one.cases),
            f"{one.difference:.2g}",
            f"{one.tolerance:.0e}",
            result,
            escape(note),
        )
    RichConsole(width=None if RichConsole().is_terminal else 150).print(table)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
