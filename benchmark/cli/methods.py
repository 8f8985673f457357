"""``methods``: the methods that can be run, and their options."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark.cli.asked import load_plugins
from benchmark.cli.options import Debug, Json, Plugin


def methods(
    method: Annotated[
        str | None, typer.Option("--method", "-m", help="list the options of this method instead")
    ] = None,
    plugin: Plugin = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List the methods that can be run, or the options of one."""
    from benchmark.cli.listing import show_methods, show_options

    load_plugins(plugin)
    if method is None:
        show_methods(as_json=json)
    else:
        show_options(method, as_json=json)
