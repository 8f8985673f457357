"""What ``prepare brats21`` and ``prepare folder`` do: real scans as they are downloaded, or anyone's own, made a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from andi_bench.console import Console, program
from andi_bench.errors import UserError
from andi_bench.executor import Failure
from andi_bench.locks import exclusive
from andi_bench.names import counted
from datasets.adapters.base import Progress
from datasets.names import MASK
from datasets.prepare.find import bids, brats_downloads, nnunet, path_patterns, scan_table
from datasets.prepare.find.grouping import parse_names
from datasets.prepare.find.sources import find_files
from datasets.prepare.found import Gathered
from datasets.prepare.place.data_folder import (
    PreparedData,
    ScansRequest,
    claim_output,
    prepare_subjects,
)
from datasets.prepare.place.subject_folder import Recipe
from datasets.prepare.report.data_report import write_report
from datasets.prepare.sidecar import Preparation
from datasets.scans.brain import stripping_notes
from datasets.scans.lesion_mask import LesionRule
from datasets.splits import PARTS
from datasets.tables import there
from datasets.volume import MODALITIES

SHOWN = 12
"""Notes and warnings that are printed; the report has them all."""


@dataclass(frozen=True)
class OwnScans:
    """Where anyone's own scans lie, and how their names are to be read.

    Parameters
    ----------
    source : Path or None
        Their folder; None: that of ``csv``.
    csv : Path or None
        A table that says which file is whose.
    patterns : sequence of str
        Paths of a scan, with ``{subject}`` and ``{modality}``.
    names : sequence of str
        What names in the pattern, the table or BIDS mean, such as ``t1ce=T1post``.
    healthy : bool
        Whether subjects without a mask are known to have no lesion.
    """

    source: Path | None
    csv: Path | None = None
    patterns: Sequence[str] = ()
    names: Sequence[str] = ()
    healthy: bool = False

    def require_sound(self) -> None:
        """Refuse what contradicts itself.

        Raises
        ------
        UserError
            For a CSV and a pattern at once, neither a folder nor a CSV, and a folder that does not exist.
        """
        if self.csv is not None and self.patterns:
            raise UserError("prepare folder: --csv or --pattern, one of them wanted")
        if self.source is None and self.csv is None:
            raise UserError("prepare folder: a folder of scans, or --csv, wanted")
        if self.source is not None and not self.source.is_dir():
            raise UserError(f"{self.source}: no such folder")

    def gather(self, unpacked: Path, output: Path) -> Gathered:
        """Return whose file is what: as the CSV or the pattern says, else by the names of BIDS or BraTS.

        Raises
        ------
        UserError
            Where nothing can be made of the files.
        """
        meanings = parse_names(self.names)
        if self.csv is not None:
            gathered = scan_table.from_csv(self.csv, self.source, meanings, output)
            return self._all_healthy(gathered)
        assert self.source is not None
        found = find_files([self.source], unpacked, skip=output)
        if self.patterns:
            return path_patterns.from_patterns(found, self.patterns, meanings, healthy=self.healthy)
        if bids.is_bids(found):
            return bids.from_bids(found, self.source, meanings, healthy=self.healthy)
        if nnunet.is_nnunet(found):
            return nnunet.from_nnunet(found, self.source, meanings, healthy=self.healthy)
        gathered = brats_downloads.sort_out(found)
        if not gathered.subjects and not gathered.problems:
            one = (
                f" ('{found.files[0].name}' for one)"
                if found.files
                else " (it holds no *.nii, *.nii.gz)"
            )
            raise UserError(
                f"{self.source}: neither BIDS, nor nnU-Net, nor <id>/<id>_{{flair,t1,t1ce,t2,seg}}.nii.gz{one}: --csv or "
                "--pattern wanted"
            )
        return self._all_healthy(gathered)

    def _all_healthy(self, gathered: Gathered) -> Gathered:
        """Take subjects without a mask for healthy, where that is said of all."""
        if self.healthy:
            gathered.subjects = [
                replace(s, healthy=s.healthy or MASK not in s.files) for s in gathered.subjects
            ]
        return gathered

    def own_splits(self) -> Path | None:
        """Return the folder of lists that lies in the scans' own, as ``run`` would use it; None where there is none.

        Raises
        ------
        UserError
            For a list that is a link to nothing.
        """
        if self.source is None or self.csv is not None:
            return None
        folder = self.source / "splits"
        return folder if any(there(folder / f"scans_{part}.csv") for part in PARTS) else None


@dataclass(frozen=True)
class ScansOutcome:
    """What a command has to say.

    Parameters
    ----------
    notes : list of str
        What failed and what to look at, for people.
    lines : list of str
        The result.
    sound : bool
        Whether nothing failed.
    """

    notes: list[str]
    lines: list[str]
    sound: bool


def prepare_brats21(
    sources: Sequence[Path],
    output: Path,
    *,
    copy: bool = False,
    splits: Path | None = None,
    workers: int | None = None,
    console: Console,
) -> ScansOutcome:
    """Unpack, verify and split BraTS as it is downloaded, and report on it.

    Parameters
    ----------
    sources : sequence of Path
        Tars, zips or folders.
    output : Path
        Folder of the prepared data set.
    copy : bool
        Copy files of a folder instead of linking to them.
    splits : Path or None
        Folder with ``scans_{train,val,test}.csv``.
    workers : int or None
        Processes.
    console : Console
        Shows progress.

    Raises
    ------
    UserError
        As :func:`datasets.prepare.place.data_folder.prepare_subjects`.
    """
    _require_apart(sources, output)
    rule = LesionRule(lesion_labels=(1, 2, 3, 4))
    request = ScansRequest(
        "brats21",
        output,
        Recipe(copy=copy, rule=rule, wanted=MODALITIES, brats=True),
        lambda unpacked: brats_downloads.gather(sources, unpacked, output),
        splits,
        workers,
    )
    return _prepare(request, console)


def prepare_folder(
    scans: OwnScans,
    output: Path,
    recipe: Recipe,
    *,
    splits: Path | None = None,
    workers: int | None = None,
    console: Console,
) -> ScansOutcome:
    """Bring in anyone's own scans, and report on them.

    Parameters
    ----------
    scans : OwnScans
        Where they lie.
    recipe : Recipe
        What is done to every subject.
    output, splits, workers, console
        As for :func:`prepare_brats21`.

    Raises
    ------
    UserError
        As :func:`datasets.prepare.place.data_folder.prepare_subjects`.
    """
    scans.require_sound()
    if scans.source is not None:
        _require_apart([scans.source], output)
    if recipe.template is not None and not recipe.register:
        raise UserError("--template: goes with --register")
    request = ScansRequest(
        "folder",
        output,
        recipe,
        lambda unpacked: scans.gather(unpacked, output),
        splits or scans.own_splits(),
        workers,
    )
    return _prepare(request, console)


def _require_apart(sources: Sequence[Path], output: Path) -> None:
    place = output.resolve()
    for source in sources:
        here = source.resolve()
        if here == place or place in here.parents:
            raise UserError(f"--output {output}: {source} lies in it: a folder of its own wanted")


def _prepare(request: ScansRequest, console: Console) -> ScansOutcome:
    claim_output(request)
    with exclusive(request.output, console), console.reporting() as report:
        done = prepare_subjects(request, report)
        done.notes += label_notes(done.prepared, request.recipe)
        done.notes += stripping_notes({s.subject: s.measured.brain_ml for s in done.prepared})
        page = write_report(request.output, request.dataset, done)
        sheets = _contact_sheets(request, done, report)
    notes = [f"not prepared: {line}" for line in done.failures]
    if not request.recipe.register and any("one grid wanted" in line for line in done.failures):
        notes.append(
            "note: scans of one subject on several grids: 'prepare folder ... --register' brings each to a template by its "
            "own place in the scanner"
        )
    notes += [*_some(done.notes, "note"), *_some(done.warnings, "look at")]
    return ScansOutcome(notes, _result(request, done, page, sheets), done.sound)


def label_notes(prepared: Sequence[Preparation], recipe: Recipe) -> list[str]:
    """Return what is to be known of masks that hold several labels."""
    held = {s.subject: {int(k) for k in s.measured.labels_ml} for s in prepared}
    labels = sorted(set().union(*held.values()))
    if recipe.brats:
        some = [s.subject for s in prepared if s.labels is not None and s.labels.ignore_labels]
        if not some:
            return []
        return [
            f"label 4 of {counted(len(some), 'mask')} ({some[0]}{', ...' if len(some) > 1 else ''}) is the resection cavity of "
            "BraTS 2024 and later: it counts for nobody, neither as lesion nor as healthy"
        ]
    rule = recipe.rule
    if len(labels) < 2 or rule.lesion_labels is not None or rule.ignore_labels:
        return []
    line = (
        f"the lesion masks hold labels {', '.join(map(str, labels))}, and all of them count as lesion: "
        "--lesion-labels and --ignore-labels say otherwise"
    )
    if {3, 4} <= {*labels}:
        line += " (4 beside 3 is the resection cavity in BraTS 2024 and later: --ignore-labels 4)"
    return [line]


def _result(
    request: ScansRequest, done: PreparedData, page: Path, sheets: Sequence[Path]
) -> list[str]:
    parts = ", ".join(f"{part} {len(done.split.ids(part))}" for part in PARTS)
    ways = {file.how for s in done.prepared for file in s.files.values()}
    lines = [
        f"{counted(len(done.prepared), 'subject')} in {request.output} ({done.reused} of them before); splits: {parts}; "
        f"files: {', '.join(sorted(ways)) or 'none'}"
    ]
    if done.prepared:
        lines.append(f"report: {page}")
        if sheets:
            lines.append(f"contact sheet, to be looked at: {', '.join(map(str, sheets))}")
        lines.append(
            f"next: {program()} run --dataset {request.dataset} --data-root {request.output}"
            + _subset(done)
        )
    return lines


def _contact_sheets(request: ScansRequest, done: PreparedData, report: Progress) -> list[Path]:
    """Draw what was brought to a template; nothing where subjects lie as they were."""
    if not request.recipe.register or not (done.prepared or done.failed):
        return []
    from datasets.prepare.register.own_scans_to_template import template_at
    from datasets.prepare.report.contact_sheet import write_contact_sheets

    output = request.output
    failures = [Failure(name, "; ".join(lines)) for name, lines in done.failed.items()]
    subjects = [s.subject for s in done.prepared]
    template = template_at(request.recipe.template)
    return write_contact_sheets(output, subjects, failures, template, output / "report", report)


def _subset(done: PreparedData) -> str:
    """Return the option that names the modalities which all subjects have, where these are not all four."""
    common = [m for m in MODALITIES if all(m in s.files for s in done.prepared)]
    if not common or len(common) == len(MODALITIES):
        return ""
    return f" --set preprocessing.modalities=[{','.join(common)}]"


def _some(lines: Sequence[str], head: str) -> list[str]:
    out = [f"{head}: {line}" for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        out.append(f"{head}: {len(lines) - SHOWN} more, in the report")
    return out
