"""``datasets``: the data sets, and what each one wants."""

from __future__ import annotations

from benchmark.cli.options import Debug, Json


def datasets(json: Json = False, debug: Debug = False) -> None:
    """List the data sets, and what each one wants."""
    from benchmark.cli.listing import show_datasets

    show_datasets(as_json=json)
