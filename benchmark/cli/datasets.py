"""``datasets``: the data sets, and what each one wants."""

from __future__ import annotations

from benchmark.cli.asked import load_plugins
from benchmark.cli.options import Debug, Json, Plugin


def datasets(plugin: Plugin = None, json: Json = False, debug: Debug = False) -> None:
    """List the data sets, and what each one wants."""
    from benchmark.cli.listing import show_datasets

    load_plugins(plugin)
    show_datasets(as_json=json)
