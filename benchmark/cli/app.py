"""The commands, put together. Heavy imports stay inside the commands that need them: ``--help`` answers at once."""

from __future__ import annotations

from collections.abc import Callable

import typer

from benchmark.cli.compare import compare_command
from benchmark.cli.evaluate import evaluate
from benchmark.cli.finished.cite import cite
from benchmark.cli.finished.gather import gather
from benchmark.cli.finished.publish import publish
from benchmark.cli.finished.show import show
from benchmark.cli.leaderboard import leaderboard
from benchmark.cli.listing import datasets, methods
from benchmark.cli.prepare import prepare_app
from benchmark.cli.run import run
from benchmark.cli.speed import speed
from benchmark.cli.test import conformance
from benchmark.cli.train import train
from benchmark.cli.tune import tune

app = typer.Typer(
    name="andi-bench",
    help="Train, run, score and rank unsupervised anomaly detectors on brain MRI.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(prepare_app, name="prepare")
COMMANDS: dict[str, Callable[..., None]] = {
    "run": run,
    "train": train,
    "tune": tune,
    "evaluate": evaluate,
    "compare": compare_command(),
    "show": show,
    "cite": cite,
    "gather": gather,
    "publish": publish,
    "leaderboard": leaderboard,
    "methods": methods,
    "datasets": datasets,
    "test": conformance,
    "speed": speed,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
