"""The command ``prepare shifts`` and its three steps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from andi_bench.errors import UserError
from benchmark.cli.options import Debug, Workers, WorkspaceFolder

shifts_app = typer.Typer(
    help="Shifts-MS as it is unpacked: organise, register, histogram-match; all three, or one step.",
    rich_markup_mode=None,
)

Raw = Annotated[
    Path | None, typer.Option(help="folder of the unpacked data: <set>/<split>/<kind>/...")
]
Output = Annotated[
    Path | None, typer.Option(help="folder for the prepared data; default: the workspace's")
]
Copy = Annotated[bool, typer.Option("--copy", help="copy files instead of linking to them")]
Template = Annotated[
    Path | None,
    typer.Option(help="skull-stripped T1 (SRI24's T1_brain.nii); default: ICBM on the BraTS grid"),
]
ReferenceDataset = Annotated[
    str | None,
    typer.Option(help="data set whose training split has the reference; default: brats21"),
]
ReferenceRoot = Annotated[Path | None, typer.Option(help="folder of that data set")]
ReferenceSubject = Annotated[
    str | None,
    typer.Option(help="training subject; default: the one nearest to the median histogram"),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="replace what was made with another template or reference")
]


@shifts_app.callback(invoke_without_command=True)
def all_steps(
    context: typer.Context,
    raw: Raw = None,
    output: Output = None,
    copy: Copy = False,
    template: Template = None,
    reference_dataset: ReferenceDataset = None,
    reference_root: ReferenceRoot = None,
    reference_subject: ReferenceSubject = None,
    replace: Replace = False,
    workspace: WorkspaceFolder = None,
    workers: Workers = None,
    debug: Debug = False,
) -> None:
    """Bring Shifts-MS in: organise, register to a template, match histograms. Finished patients are kept."""
    if context.invoked_subcommand is not None:
        references = (reference_dataset, reference_root, reference_subject)
        if any((raw, output, template, *references, workspace, workers, copy, replace)):
            raise UserError(
                f"prepare shifts {context.invoked_subcommand}: its options come after the step's name"
            )
        return
    _run(
        ("organise", "register", "match"),
        output,
        workspace,
        raw=raw,
        copy=copy,
        template=template,
        reference_dataset=reference_dataset,
        reference_root=reference_root,
        reference_subject=reference_subject,
        replace=replace,
        workers=workers,
    )


@shifts_app.command("organise")
def organise(
    raw: Raw = None,
    output: Output = None,
    copy: Copy = False,
    workspace: WorkspaceFolder = None,
    debug: Debug = False,
) -> None:
    """Step 1: one folder a patient, by links."""
    _run(("organise",), output, workspace, raw=raw, copy=copy)


@shifts_app.command("register")
def register(
    output: Output = None,
    template: Template = None,
    replace: Replace = False,
    workspace: WorkspaceFolder = None,
    workers: Workers = None,
    debug: Debug = False,
) -> None:
    """Step 2: T1 to the template, all else along; with a contact sheet."""
    _run(("register",), output, workspace, template=template, replace=replace, workers=workers)


@shifts_app.command("match")
def match(
    output: Output = None,
    reference_dataset: ReferenceDataset = None,
    reference_root: ReferenceRoot = None,
    reference_subject: ReferenceSubject = None,
    replace: Replace = False,
    workspace: WorkspaceFolder = None,
    workers: Workers = None,
    debug: Debug = False,
) -> None:
    """Step 3: intensities matched to a training subject of the data that detectors learn from."""
    _run(
        ("match",),
        output,
        workspace,
        reference_dataset=reference_dataset,
        reference_root=reference_root,
        reference_subject=reference_subject,
        replace=replace,
        workers=workers,
    )


def _run(steps: tuple[str, ...], output: Path | None, workspace: Path | None, **asked: Any) -> None:
    from andi_bench.console import Console
    from andi_bench.workspace import Workspace
    from datasets.prepare.commands.shifts_steps import ShiftsPreparation

    place = Workspace.at(workspace)
    folder = output or place.root / "data" / "shifts"
    asked = {"raw": None, **asked}
    good = ShiftsPreparation(output=folder, workspace=place, **asked).run(steps, Console())
    if steps[-1] == "match" and (folder / "patients").is_dir():
        print(folder)
    if not good:
        raise typer.Exit(1)
