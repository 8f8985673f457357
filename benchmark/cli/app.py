"""The commands, put together. Heavy imports stay inside the commands that need them: ``--help`` answers at once."""

from __future__ import annotations

import typer

from benchmark.cli.compare import compare_command
from benchmark.cli.datasets import datasets
from benchmark.cli.evaluate import evaluate
from benchmark.cli.methods import methods
from benchmark.cli.prepare import prepare_app
from benchmark.cli.run import run
from benchmark.cli.show import show
from benchmark.cli.test import conformance
from benchmark.cli.train import train

app = typer.Typer(
    name="andi-bench",
    help="Train, run, score and rank unsupervised anomaly detectors on brain MRI.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(prepare_app, name="prepare")
for name, command in (
    ("run", run), ("train", train), ("evaluate", evaluate), ("methods", methods), ("test", conformance),
    ("datasets", datasets), ("compare", compare_command()), ("show", show),
):  # fmt: skip
    app.command(name)(command)
