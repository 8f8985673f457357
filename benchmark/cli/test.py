"""``test``: the conformance suite."""

from __future__ import annotations

from typing import Annotated

import typer

from andi_bench.errors import UserError
from benchmark.cli.asked import load_plugins
from benchmark.cli.options import Debug, Json, Plugin, Set


def conformance(
    method: Annotated[
        str | None, typer.Option("--method", "-m", help="method; default: the plug-in's only one")
    ] = None,
    plugin: Plugin = None,
    check: Annotated[
        list[str] | None, typer.Option(help="only this check, by its name in the table; repeated")
    ] = None,
    set_: Set = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Take a detector through the whole contract, on a tiny phantom; exit code 1 if it breaks it."""
    from andi_bench.config import parse_assignments
    from andi_bench.console import Console
    from benchmark.conformance.suite import conforms, run_suite, show

    names = load_plugins(plugin).methods
    if method is None and len(names) != 1:
        found = f"the plug-in registers {', '.join(names)}" if names else "none given"
        raise UserError(f"--method NAME wanted: {found}")
    chosen = method or names[0]
    outcomes = run_suite(
        chosen,
        plugin or [],
        overrides=parse_assignments(set_ or []),
        checks=check or None,
        console=Console(),
    )
    show(chosen, outcomes, as_json=json)
    if not conforms(outcomes):
        raise typer.Exit(1)
