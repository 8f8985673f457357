"""All checks in turn, and the table that tells how they came out."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from andi_bench.console import Console
from andi_bench.errors import unknown_name
from benchmark.conformance import learning, maps, processes, settings, surroundings
from benchmark.conformance.candidate import Candidate
from benchmark.conformance.outcome import Failed, NotApplicable, Outcome, Status
from benchmark.conformance.tiny_phantom import TinyPhantom
from benchmark.training.trainer import Interrupted

CHECKS: dict[str, Callable[[Candidate], str]] = {
    "configuration": learning.configuration_schema,
    "training lowers the loss": learning.training_lowers_loss,
    "save and load": learning.state_is_whole,
    "stop and resume": learning.resumes_exactly,
    "batch size": maps.batch_size,
    "order of subjects": maps.subject_order,
    "form of the map": maps.form,
    "zero outside the brain": maps.zero_outside,
    "empty slices": maps.empty_slices,
    "one modality": settings.one_modality,
    "another grid": settings.another_grid,
    "bf16": settings.bf16,
    "two processes": processes.two_processes,
    "keeps to itself": surroundings.keeps_to_itself,
    "sees a lesion": maps.sees_lesion,
}
"""What is checked, in this order. Each returns its reason, or raises."""


def run_suite(
    method: str,
    plugins: Sequence[Path] = (),
    *,
    overrides: dict[str, Any] | None = None,
    checks: Iterable[str] | None = None,
    data: Path | None = None,
    console: Console | None = None,
) -> list[Outcome]:
    """Take a method through the contract.

    Parameters
    ----------
    method : str
        Registered name.
    plugins : sequence of Path
        Plug-in files, loaded already, that the method may come from.
    overrides : dict
        Fields of the configuration, the user's.
    checks : iterable of str or None
        Names in :data:`CHECKS`; None: all.
    data : Path or None
        Where the tiny phantom is kept; None: in a folder that goes with the call.
    console : Console or None
        Receives each outcome as it comes.

    Raises
    ------
    UserError
        For an unknown method or check, or configuration that does not fit.
    """
    console = console or Console(quiet=True)
    chosen = list(CHECKS if checks is None else checks)
    for name in chosen:
        if name not in CHECKS:
            raise unknown_name("check", name, CHECKS)
    with tempfile.TemporaryDirectory(prefix="andi-bench-test-") as place:
        folder = Path(place).resolve()
        phantom = TinyPhantom((data or folder / "phantom").resolve())
        files = [path.resolve() for path in plugins]
        candidate = Candidate(method, phantom, folder, files, overrides)
        outcomes = []
        for name in chosen:
            outcome = _outcome(name, candidate)
            console.note(f"{name}: {outcome.status} ({outcome.seconds:.1f} s)")
            outcomes.append(outcome)
    return outcomes


def _outcome(name: str, candidate: Candidate) -> Outcome:
    started = time.perf_counter()
    status: Status = "passed"
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is the table's, or JSON's
            reason = CHECKS[name](candidate)
    except Interrupted:
        raise  # the user's own Ctrl-C
    except NotApplicable as error:
        status, reason = "not applicable", str(error)
    except Failed as error:
        status, reason = "failed", str(error)
    except Exception as error:
        status, reason = "failed", f"{type(error).__name__}: {error}"
    return Outcome(name, status, " ".join(reason.split()), time.perf_counter() - started)


def show(method: str, outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """Print the outcomes, as a table or as JSON."""
    if as_json:
        rows = [outcome.record() for outcome in outcomes]
        found = {"method": method, "passed": conforms(outcomes), "checks": rows}
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    from rich.console import Console as RichConsole
    from rich.markup import escape
    from rich.table import Table

    counts = {
        status: sum(o.status == status for o in outcomes)
        for status in ("passed", "failed", "not applicable")
    }
    said = ", ".join(f"{count} {status}" for status, count in counts.items())
    table = Table(title=f"{method}: {said}", show_lines=False)
    table.add_column("check", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("reason")
    table.add_column("s", justify="right", no_wrap=True)
    colours = {"passed": "green", "failed": "bold red", "not applicable": "dim"}
    for outcome in outcomes:
        colour = colours[outcome.status]
        table.add_row(
            outcome.check,
            f"[{colour}]{outcome.status}[/]",
            escape(outcome.reason),
            f"{outcome.seconds:.1f}",
        )
    RichConsole(width=None if RichConsole().is_terminal else 100).print(table)


def conforms(outcomes: Iterable[Outcome]) -> bool:
    """Whether no check failed."""
    return all(outcome.status != "failed" for outcome in outcomes)
