"""Where the rows of a table come from, one line a method."""

from __future__ import annotations

from typing import Any

from andi_bench.records.store import RunRecord
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table
from leaderboard.words.run_facts import plain


def origins_of(table: Table) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return for every method its name with its seeds, what its runs were made with, and the records' folders.

    What all seeds share is said once; where they differ, each value is.
    """
    out = []
    for row in table.shown:
        if row.runs:
            seeds = ", ".join(str(seed) for seed in row.seeds)
            name = f"{row.label}, seed{'s' if len(row.seeds) > 1 else ''} {seeds}"
            out.append((name, _facts(row), tuple(run.run.folder_name for run in row.runs)))
    return out


def _facts(row: Row) -> str:
    each = [_of_run(run) for run in row.runs]
    found = {name: list(dict.fromkeys(facts[name] for facts in each)) for name in each[0]}
    found["created"] = _days(found["created"])
    parts = [
        f"{name} {' and '.join(filter(None, values))}".strip()
        for name, values in found.items()
        if any(values)
    ]
    paper = plain(row.runs[0].method.paper)
    return "; ".join([*parts, paper] if paper else parts)


def _of_run(run: RunRecord) -> dict[str, str]:
    """Return what a run was made with, by the word that goes before it."""
    source = run.provenance
    facts: dict[str, Any] = {
        "preset": run.run.preset,
        "created": run.run.created[:10],
        "andi-bench": source.get("andi_bench"),
        "commit": _revision(source.get("git")),
        "Python": source.get("python"),
        "torch": _torch(source.get("packages")),
        "": source.get("system"),
        "on": run.costs.device,
    }
    return {name: plain(value or "") for name, value in facts.items()}


def _days(days: list[str]) -> list[str]:
    known = sorted(filter(None, days))
    return [known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"] if known else []


def _revision(git: Any) -> str:
    if not isinstance(git, dict) or not git.get("commit"):
        return ""
    return str(git["commit"])[:12] + (" with changes" if git.get("changed") else "")


def _torch(packages: Any) -> Any:
    return packages.get("torch") if isinstance(packages, dict) else None
