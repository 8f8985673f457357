"""``prepare brats21`` and ``prepare folder``: real scans as they are downloaded, or anyone's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from andi_bench.errors import UserError, unknown_name
from benchmark.cli.options import Debug, Workers

if TYPE_CHECKING:
    from andi_bench.console import Console
    from datasets.adapters.folder import Progress
    from datasets.prepare.found import Gathered
    from datasets.prepare.place.collection import Collected, Order

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
"""Notes and warnings that are printed; the report has them all."""


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
    from datasets.prepare.find.brats_downloads import gather
    from datasets.prepare.place.collection import Order
    from datasets.prepare.place.subject_folder import Recipe
    from datasets.scans.lesion_mask import LesionRule
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


def folder(
    source: Annotated[
        Path | None, typer.Argument(help="folder of scans; default: the folder of --csv")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="folder of the prepared data set; new, or one to go on with")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(help="columns subject, flair, t1, t1ce, t2, mask, brain, and any others"),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(help="path of a scan, such as '{subject}/{subject}_{modality}.nii.gz'"),
    ] = None,
    modality: Annotated[
        list[str] | None,
        typer.Option(help="what a name in the pattern means, such as t1ce=T1post; repeated"),
    ] = None,
    register: Annotated[
        bool,
        typer.Option("--register", help="bring every subject to a template by an affine transform"),
    ] = False,
    template: Annotated[
        Path | None,
        typer.Option(
            help="skull-stripped T1 for --register; default: ICBM, as shipped with nilearn"
        ),
    ] = None,
    files: Files = "link",
    splits: SplitFiles = None,
    workers: Workers = None,
    debug: Debug = False,
) -> None:
    """Bring in anyone's own scans: by a CSV, by a pattern of names, or from BIDS by its own names."""
    from datasets.prepare.place.collection import Order
    from datasets.prepare.place.subject_folder import Recipe
    from datasets.scans.lesion_mask import LesionRule

    if output is None:
        raise UserError(
            "prepare folder: --output DIR wanted: where the prepared data set is to lie"
        )
    if csv is not None and pattern is not None:
        raise UserError("prepare folder: --csv or --pattern, one of them wanted")
    if source is None and csv is None:
        raise UserError("prepare folder: a folder of scans, or --csv, wanted")
    if source is not None:
        if not source.is_dir():
            raise UserError(f"{source}: no such folder")
        _require_apart([source], output)
    if template is not None and not register:
        raise UserError("--template: goes with --register")
    recipe = Recipe(
        copy=_copied(files), rule=LesionRule(), strip=True, register=register, template=template
    )
    order = Order(
        "folder", output, recipe,
        lambda unpacked: _own_scans(source, csv, pattern, modality or [], unpacked, output), splits,
        workers=workers,
    )  # fmt: skip
    _prepare(order)


def _own_scans(
    source: Path | None,
    csv: Path | None,
    pattern: str | None,
    names: list[str],
    unpacked: Path,
    output: Path,
) -> Gathered:
    from datasets.prepare.find import bids, own_scans
    from datasets.prepare.find import brats_downloads as brats21
    from datasets.prepare.find.sources import find_files

    if csv is not None:
        return own_scans.from_csv(csv, source)
    assert source is not None
    meanings = own_scans.parse_names(names)
    found = find_files([source], unpacked, skip=output)
    if pattern is not None:
        return own_scans.from_pattern(found, pattern, meanings)
    if bids.is_bids(source):
        return bids.from_bids(found, source)
    gathered = brats21.sort_out(found)
    if not gathered.subjects and not gathered.problems:
        raise UserError(
            f"{source}: neither BIDS nor <id>/<id>_{{flair,t1,t1ce,t2,seg}}.nii.gz: --csv or --pattern wanted"
        )
    return gathered


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
    from andi_bench.console import Console
    from andi_bench.locks import exclusive
    from datasets.prepare.place.collection import claim, collect
    from datasets.prepare.report.data_report import write_report

    console = Console()
    claim(order)
    with exclusive(order.output, console), console.reporting() as report:
        done = collect(order, report)
        page = write_report(order.output, order.dataset, done)
        sheets = _contact_sheets(order, done, report)
    lines = [f"{name}: {line}" for name, found in done.failed.items() for line in found]
    for line in [*done.problems, *lines]:
        console.note(f"not prepared: {line}")
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
        if sheets:
            print(f"contact sheet, to be looked at: {', '.join(map(str, sheets))}")
        print(
            f"next: python -m benchmark run --dataset {order.dataset} --data-root {order.output}"
            + _subset(done)
        )
    if not done.sound:
        raise typer.Exit(1)


def _contact_sheets(order: Order, done: Collected, report: Progress) -> list[Path]:
    """Draw what was brought to a template; nothing where subjects lie as they were."""
    if not order.recipe.register or not (done.prepared or done.failed):
        return []
    from andi_bench.executor import Failure
    from datasets.prepare.register.own_scans_to_template import template_at
    from datasets.prepare.report.contact_sheet import write_contact_sheets

    failures = [Failure(name, "; ".join(lines)) for name, lines in done.failed.items()]
    return write_contact_sheets(
        order.output, [s["subject"] for s in done.prepared], failures,
        template_at(order.recipe.template), order.output / "report", report,
    )  # fmt: skip


def _subset(done: Collected) -> str:
    """Return the option that names the modalities which all subjects have, where these are not all four."""
    from datasets.volume import MODALITIES

    common = [m for m in MODALITIES if all(m in s["files"] for s in done.prepared)]
    if not common or len(common) == len(MODALITIES):
        return ""
    return f" --set preprocessing.modalities=[{','.join(common)}]"


def _say(console: Console, lines: list[str], head: str) -> None:
    for line in lines[:_SHOWN]:
        console.note(f"{head}: {line}")
    if len(lines) > _SHOWN:
        console.note(f"{head}: {len(lines) - _SHOWN} more, in the report")
