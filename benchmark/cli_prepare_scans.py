"""``prepare brats21`` and ``prepare folder``: real scans as they are downloaded, or anyone's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli_options import Debug, Workers
from benchmark.errors import UserError, unknown_name

if TYPE_CHECKING:
    from benchmark.console import Console
    from datasets.prepare.collection import Order

Output = Annotated[
    Path, typer.Option(help="folder of the prepared data set; new, or one to go on with")
]
Files = Annotated[
    str, typer.Option(help="link: symbolic links to the files of a folder; copy: independent of it")
]
SplitFiles = Annotated[
    Path | None,
    typer.Option(help="folder with scans_{train,val,test}.csv; default: by a hash, 75/5/20"),
]
_SHOWN = 12
"""Lines of a kind that are printed; the report has them all."""


def brats21(
    source: Annotated[
        list[Path], typer.Argument(help="tars, zips or folders as downloaded; several at once")
    ],
    output: Output,
    files: Files = "link",
    splits: SplitFiles = None,
    workers: Workers = None,
    debug: Debug = False,
) -> None:
    """Unpack, verify and split BraTS (2018 to 2023 and later) as it is downloaded, and report on it."""
    from datasets.lesion_mask import LesionRule
    from datasets.prepare.brats21 import gather
    from datasets.prepare.collection import Order
    from datasets.prepare.placing import Recipe
    from datasets.volume import MODALITIES

    _require_apart(source, output)
    recipe = Recipe(
        copy=_copied(files), rule=LesionRule(lesion_labels=(1, 2, 3, 4)), wanted=MODALITIES
    )
    order = Order(
        "brats21", output, recipe, lambda unpacked: gather(source, unpacked, output), splits,
        workers=workers,
    )  # fmt: skip
    _prepare(order)


def _copied(files: str) -> bool:
    if files not in ("link", "copy"):
        raise unknown_name("way with files", files, ("link", "copy"))
    return files == "copy"


def _require_apart(sources: list[Path], output: Path) -> None:
    place = output.resolve()
    for source in sources:
        here = source.resolve()
        if here == place or place in here.parents:
            raise UserError(f"--output {output}: {source} lies in it: a folder of its own wanted")


def _prepare(order: Order) -> None:
    """Do it, say what came out, and end with exit code 1 where anything failed."""
    from benchmark.console import Console
    from benchmark.locks import exclusive
    from datasets.prepare.collection import claim, collect
    from datasets.prepare.data_report import write_report

    console = Console()
    claim(order)
    with exclusive(order.output, console), console.reporting() as report:
        done = collect(order, report)
        page = write_report(order.output, order.dataset, done)
    lines = [f"{name}: {line}" for name, found in done.failed.items() for line in found]
    _say(console, [*done.problems, *lines], "not prepared")
    _say(console, done.notes, "note")
    warned = [f"{s['subject']}: {w}" for s in done.prepared for w in s["warnings"]]
    _say(console, warned, "look at")
    parts = ", ".join(f"{part} {len(done.split.ids(part))}" for part in ("train", "val", "test"))
    ways = {entry["how"] for s in done.prepared for entry in s["files"].values()}
    print(
        f"{len(done.prepared)} subjects in {order.output} ({done.reused} of them before); splits: {parts}; "
        f"files: {', '.join(sorted(ways)) or 'none'}"
    )
    if done.prepared:
        print(f"report: {page}")
        print(f"next: python -m benchmark run --dataset {order.dataset} --data-root {order.output}")
    if not done.sound:
        raise typer.Exit(1)


def _say(console: Console, lines: list[str], head: str) -> None:
    for line in lines[:_SHOWN]:
        console.note(f"{head}: {line}")
    if len(lines) > _SHOWN:
        console.note(f"{head}: {len(lines) - _SHOWN} more, in the report")
