"""Options of every command: where all is kept, JSON in place of words, the traceback of an error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_tracebacks = False


def switch_tracebacks(value: bool) -> bool:
    """Remember what ``--debug`` says; the option's callback."""
    global _tracebacks
    _tracebacks = value
    return value


def tracebacks() -> bool:
    """Return whether the command that runs was given ``--debug``, so that tracebacks are to be shown."""
    return _tracebacks


WorkspaceFolder = Annotated[
    Path | None,
    typer.Option(help="where all is kept; default: $ANDI_BENCH_WORKSPACE or ./workspace"),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON on stdout, for scripts")]
Debug = Annotated[
    bool,
    typer.Option("--debug", callback=switch_tracebacks, help="show the traceback of an error"),
]
