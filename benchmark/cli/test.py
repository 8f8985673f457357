"""``test``: the conformance suite of a detector, or the check of the metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from andi_bench.errors import UserError
from benchmark.cli.options import Debug, Json, Plugin, Set
from benchmark.cli.shared.asked import load_plugins


def conformance(
    method: Annotated[
        str | None, typer.Option("--method", "-m", help="method; default: the plug-in's only one")
    ] = None,
    plugin: Plugin = None,
    check: Annotated[
        list[str] | None, typer.Option(help="only this check, by its name in the table; repeated")
    ] = None,
    set_: Set = None,
    metrics: Annotated[
        bool,
        typer.Option("--metrics", help="check our metrics against scikit-learn, medpy and more"),
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Take a detector through the whole contract, on a tiny phantom; exit code 1 if it breaks it.

    With --metrics instead: compare Dice, AP, AUROC, HD95 and ASSD with scikit-learn and medpy, on random and extreme
    masks and scores, and the publication's protocol with golden values; exit code 1 if a difference is too large.
    """
    if not metrics:
        passed = _conforms(method, plugin, check, set_, json)
    elif method or plugin or check or set_:
        raise UserError(
            "--metrics tests the metrics, not a method: it stands alone, or with --json"
        )
    else:
        passed = _metrics_agree(json)
    if not passed:
        raise typer.Exit(1)


def _conforms(
    method: str | None,
    plugin: list[Path] | None,
    check: list[str] | None,
    assignments: list[str] | None,
    as_json: bool,
) -> bool:
    from andi_bench.config import parse_assignments
    from andi_bench.console import Console
    from benchmark.conformance.suite import conforms, run_suite, show

    names = load_plugins(plugin).methods
    if method is None and len(names) != 1:
        found = f"the plug-in registers {', '.join(names) or 'none'}" if plugin else "none given"
        raise UserError(f"--method NAME (or --metrics) wanted: {found}")
    chosen = method or names[0]
    overrides = parse_assignments(assignments or [])
    outcomes = run_suite(
        chosen, plugin or [], overrides=overrides, checks=check or None, console=Console()
    )
    show(chosen, outcomes, as_json=as_json)
    return conforms(outcomes)


def _metrics_agree(as_json: bool) -> bool:
    from andi_bench.console import Console
    from benchmark.conformance.metric_suite import agree, check_metrics, show_metrics

    found = check_metrics(Console())
    show_metrics(found, as_json=as_json)
    return agree(found)
