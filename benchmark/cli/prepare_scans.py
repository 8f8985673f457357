"""``prepare brats21`` and ``prepare folder``: real scans as they are downloaded, or anyone's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from andi_bench.errors import UserError
from benchmark.cli.options import Debug, Workers

if TYPE_CHECKING:
    from andi_bench.console import Console
    from datasets.prepare.commands.scans_steps import ScansOutcome
    from datasets.scans.lesion_mask import LesionRule

Output = Annotated[
    Path, typer.Option(help="folder of the prepared data set; new, or one to go on with")
]
Files = Annotated[
    Literal["link", "copy"],
    typer.Option(help="link: symbolic links to the files of a folder; copy: independent of it"),
]
SplitFiles = Annotated[
    Path | None,
    typer.Option(
        help="folder with scans_{train,val,test}.csv, or brats21-no-pair; default: published lists, else a hash, 75/5/20"
    ),
]


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
    from andi_bench.console import Console
    from datasets.prepare.commands.scans_steps import prepare_brats21

    console = Console()
    done = prepare_brats21(
        source, output, copy=files == "copy", splits=splits, workers=workers, console=console
    )
    _show(done, console)


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
        list[str] | None,
        typer.Option(
            help="path of a scan, such as '{subject}/{subject}_{modality}.nii.gz'; also {session}, {person}, and any "
            "column in braces; repeated"
        ),
    ] = None,
    modality: Annotated[
        list[str] | None,
        typer.Option(
            help="what a name in the pattern, the CSV or BIDS means, such as t1ce=T1post; repeated"
        ),
    ] = None,
    lesion_labels: Annotated[
        str | None,
        typer.Option(help="labels of the masks that are lesion, such as 1,4; default: all"),
    ] = None,
    ignore_labels: Annotated[
        str | None,
        typer.Option(
            help="labels whose voxels count for nobody, neither lesion nor healthy: other pathology, cavities"
        ),
    ] = None,
    healthy: Annotated[
        bool, typer.Option("--healthy", help="subjects without a mask are known to have no lesion")
    ] = False,
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
    from andi_bench.console import Console
    from datasets.prepare.commands.scans_steps import OwnScans, prepare_folder
    from datasets.prepare.place.subject_folder import Recipe

    if output is None:
        raise UserError(
            "prepare folder: --output DIR wanted: where the prepared data set is to lie"
        )
    scans = OwnScans(source, csv, pattern or (), modality or (), healthy)
    rule = _rule(lesion_labels, ignore_labels)
    copy = files == "copy"
    recipe = Recipe(copy=copy, rule=rule, strip=True, register=register, template=template)
    console = Console()
    done = prepare_folder(scans, output, recipe, splits=splits, workers=workers, console=console)
    _show(done, console)


def _show(done: ScansOutcome, console: Console) -> None:
    """Print what came out, and end with exit code 1 where anything failed."""
    for line in done.notes:
        console.note(line)
    for line in done.lines:
        print(line)
    if not done.sound:
        raise typer.Exit(1)


def _rule(lesion: str | None, ignore: str | None) -> LesionRule:
    """Read the options that say what a mask's labels mean; one that lesion labels leave out is as healthy as 0."""
    from andi_bench.config import validated
    from datasets.scans.lesion_mask import LesionRule

    said: dict[str, list[int] | str] = {}
    for name, text in (("lesion_labels", lesion), ("ignore_labels", ignore)):
        if text is None:
            continue
        try:
            said[name] = [int(word) for word in text.replace(",", " ").split()]
        except ValueError:
            option = name.replace("_", "-")
            raise UserError(
                f"--{option} {text}: whole numbers with commas between them wanted, such as 1,4"
            ) from None
    if "lesion_labels" in said:
        said["other_labels"] = "any"
    return validated(LesionRule, said, "prepare folder")
