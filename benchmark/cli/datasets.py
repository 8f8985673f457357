"""``datasets``: the data sets, and what each one wants."""

from __future__ import annotations

import os

from benchmark.cli.options import Debug, Json, Plugin
from benchmark.cli.shared.asked import load_plugins


def datasets(plugin: Plugin = None, json: Json = False, debug: Debug = False) -> None:
    """List the data sets, and what each one wants."""
    from benchmark.cli.shared.printed_rows import print_rows

    load_plugins(plugin)
    print_rows("Data sets", _rows(), as_json=json)


def _rows() -> list[dict[str, str]]:
    """Return every data set, what it learns from, and where it is looked for; of a broken one, the reason."""
    from datasets.adapters.catalogue import listed_datasets

    rows = []
    for found in listed_datasets():
        entry = found.entry
        rows.append(
            {
                "dataset": found.name,
                "title": entry.title if entry else "",
                "trained on": (entry.trained_on or "itself") if entry else "",
                "where": _where(entry.root_variable, found.built_in) if entry else "",
                "note": found.note,
            }
        )
    return rows


def _where(variable: str | None, built_in: bool) -> str:
    if variable is None:
        return "made in the workspace" if built_in else "--data-root"
    if os.environ.get(variable):
        return f"{variable}={os.environ[variable]}"
    return f"set {variable}, or --data-root"
