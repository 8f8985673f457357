"""From subjects found in the sources to the folder of a data set: resumed, checked, split."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from andi_bench.errors import UserError
from andi_bench.executor import Failure, default_workers, each
from andi_bench.files import links_work, sweep
from andi_bench.names import counted, part_of
from datasets.adapters.base import Progress
from datasets.prepare.found import Gathered, Incoming
from datasets.prepare.place.currency import is_done, reads_as_then, refreshed
from datasets.prepare.place.marker import claim, write_marker
from datasets.prepare.place.prepared_split import (
    make_split,
    require_sound_list,
    write_own_split,
)
from datasets.prepare.place.subject_folder import (
    FULL,
    Placed,
    Recipe,
    Task,
    place_subject,
)
from datasets.prepare.sidecar import Preparation, read_whole
from datasets.prepared_root import MARKER
from datasets.scans.fingerprints import FingerprintCache
from datasets.splits import Split

UNPACKED = ".unpacked"


@dataclass(frozen=True)
class ScansRequest:
    """What a prepare command asks for.

    Parameters
    ----------
    dataset : str
        Name of the data set that ``run`` will be given.
    output : Path
        Its folder.
    recipe : Recipe
        What is done to every subject.
    gather : callable
        Returns what is in the sources; is given the folder for what has to be unpacked.
    splits : Path or None
        The user's own CSV files.
    workers : int or None
        Processes.
    """

    dataset: str
    output: Path
    recipe: Recipe
    gather: Callable[[Path], Gathered]
    splits: Path | None = None
    workers: int | None = None


@dataclass
class PreparedData:
    """What a prepare command came to.

    Parameters
    ----------
    prepared : list of Preparation
        Sidecars of all subjects in the output but those that failed, sorted by id.
    failed : dict of str to tuple of str
        Lines by subject.
    problems, notes : list of str
        As in :class:`Gathered`, and of the splits.
    split : Split
        As written.
    reused : int
        Subjects that an earlier command had prepared.
    """

    prepared: list[Preparation]
    failed: dict[str, tuple[str, ...]]
    problems: list[str]
    notes: list[str]
    split: Split
    reused: int

    @property
    def sound(self) -> bool:
        """Whether nothing failed."""
        return not self.failed and not self.problems

    @property
    def failures(self) -> list[str]:
        """What failed, a line each."""
        by_subject = [f"{name}: {line}" for name, found in self.failed.items() for line in found]
        return [*self.problems, *by_subject]

    @property
    def warnings(self) -> list[str]:
        """What a person should look at, a line each."""
        return [f"{s.subject}: {line}" for s in self.prepared for line in s.all_warnings]


def prepare_subjects(request: ScansRequest, progress: Progress) -> PreparedData:
    """Prepare every subject that is not prepared yet, then write splits.

    A subject that fails does not hinder the others. What a killed command has finished is kept.

    Raises
    ------
    UserError
        When the output is not ours or was made otherwise, the sources hold no subject, or the disk is full.
    """
    output = request.output
    marker = claim_output(request)
    sweep(output)
    gathered, pending = _gathered(request)
    if request.splits is not None:
        require_sound_list(request.splits, gathered.subjects)
    _require_space(pending, request)
    _require_links(pending, request)
    reused = len(gathered.subjects) - len(pending)
    waiting = {subject.id for subject in pending}
    changed = refreshed([s for s in gathered.subjects if s.id not in waiting], output)
    failed = _place_all(pending, request, reused, progress)
    # One that fails now may have been prepared once, from files that have changed since.
    prepared = [found for found in prepared_in(output) if found.subject not in failed]
    distinct, twice = _distinct(prepared)
    split, notes = make_split(request.dataset, distinct, request.splits)

    def remember(hashes: dict[str, list[str]]) -> None:
        write_marker(output, {**marker, "splits": hashes})

    if distinct:
        notes = [*notes, *write_own_split(split, output / "splits", marker["splits"], remember)]
    for listing in (output / UNPACKED).glob("*"):
        for scan in listing.glob("*.nii*"):  # of subjects that failed
            scan.unlink()
    problems, notes = [*gathered.problems, *twice], [*gathered.notes, *notes]
    if changed:
        notes.append(
            f"{counted(len(changed), 'subject has', 'subjects have')} other columns, person or part now: {changed[0]}"
        )
    there = {subject.id for subject in gathered.subjects}
    left = [s.subject for s in prepared if s.subject not in there]
    if left and there:
        notes.append(
            f"not in these sources, and kept: {counted(len(left), 'subject')} prepared earlier: {left[0]} "
            "(delete its folder to drop it)"
        )
    return PreparedData(prepared, failed, problems, notes, split, reused)


def claim_output(request: ScansRequest) -> dict[str, Any]:
    """Make the output ours, or find that it is; see :func:`datasets.prepare.place.marker.claim`."""
    return claim(request.output, request.dataset, request.recipe.description())


def prepared_in(output: Path) -> list[Preparation]:
    """Return the sidecars of all subjects that are whole, sorted by id."""
    folders = sorted(p for p in output.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [found for folder in folders if (found := read_whole(folder)) is not None]


def _gathered(request: ScansRequest) -> tuple[Gathered, list[Incoming]]:
    """Return what the sources hold, and the subjects of it that are not prepared yet."""
    unpacked = request.output / UNPACKED
    gathered = _gather(request, unpacked)
    pending = _pending(gathered, request)
    if any(
        file.kind == "unpacked" and not file.container.exists()
        for subject in pending
        for file in subject.files.values()
    ):
        # Listed by an earlier command, and used up by it: the archive is read once more.
        shutil.rmtree(unpacked)
        gathered = _gather(request, unpacked)
        pending = _pending(gathered, request)
    if not gathered.subjects and not gathered.problems:
        raise UserError(f"prepare {request.dataset}: no scan found in the sources")
    return gathered, pending


def _gather(request: ScansRequest, unpacked: Path) -> Gathered:
    try:
        return request.gather(unpacked)
    except OSError as error:
        where = error.filename or request.output
        left = "; make room and run again" if error.errno in FULL else ""
        raise UserError(f"{where}: {error.strerror or error}{left}") from error


def _pending(gathered: Gathered, request: ScansRequest) -> list[Incoming]:
    hashes = FingerprintCache()

    def done(subject: Incoming) -> bool:
        found = read_whole(request.output / subject.id)
        if found is None or not is_done(subject, found):
            return False
        return reads_as_then(subject, found, request.recipe.template, hashes)

    with ThreadPoolExecutor(request.workers or default_workers()) as pool:
        finished = list(pool.map(done, gathered.subjects))
    return [s for s, whole in zip(gathered.subjects, finished, strict=True) if not whole]


def _place_all(
    pending: Sequence[Incoming], request: ScansRequest, reused: int, progress: Progress
) -> dict[str, tuple[str, ...]]:
    """Prepare subjects; return the lines of those that failed, by subject."""
    output, total = request.output, reused + len(pending)
    failed: dict[str, tuple[str, ...]] = {}
    if total:
        progress("preparing subjects", reused, total)
    tasks = [Task(subject, output, request.recipe) for subject in pending]
    for done, (task, placed) in enumerate(each(place_subject, tasks, request.workers), reused + 1):
        if isinstance(placed, Failure):
            placed = Placed(task.id, (placed.reason,))
        if placed.full:
            raise UserError(
                f"{output}: no space left ({placed.problems[0]}); "
                f"{part_of(done - 1 - len(failed), total, 'subject', 'is', 'are')} prepared and kept: make room and run again"
            )
        if placed.problems:
            failed[placed.id] = placed.problems
        progress("preparing subjects", done, total)
    return dict(sorted(failed.items()))


def _require_space(pending: Sequence[Incoming], request: ScansRequest) -> None:
    written = sum(
        file.size
        for subject in pending
        for file in subject.files.values()
        if file.kind in ("tar", "zip")
        or (file.kind == "file" and (request.recipe.copy or request.recipe.register))
    )
    free = shutil.disk_usage(request.output).free
    if written > free:
        raise UserError(
            f"{request.output}: {counted(len(pending), 'subject takes', 'subjects take')} {written / 2**30:.2f} GiB, {free / 2**30:.2f} GiB are free: "
            "make room or name another --output"
        )


def _require_links(pending: Sequence[Incoming], request: ScansRequest) -> None:
    wanted = not (request.recipe.copy or request.recipe.register)
    linked = any(file.kind == "file" for subject in pending for file in subject.files.values())
    try:
        if wanted and linked and not links_work(request.output):
            if not prepared_in(request.output):  # so that the folder can be used with --files copy
                shutil.rmtree(request.output / UNPACKED, ignore_errors=True)
                (request.output / MARKER).unlink()
            raise UserError(
                f"{request.output}: its file system has no symbolic links: --files copy copies the files instead"
            )
    except OSError as error:
        raise UserError(
            f"{request.output}: cannot be written ({error.strerror or error})"
        ) from error


def _distinct(prepared: Sequence[Preparation]) -> tuple[list[Preparation], list[str]]:
    """Set aside subjects that hold a scan which another subject holds too."""
    owner: dict[str, str] = {}
    kept, lines = [], []
    for found in prepared:
        voxels = {kind: file.voxels for kind, file in found.files.items() if file.voxels}
        same = next(((owner[v], kind) for kind, v in voxels.items() if v in owner), None)
        if same is not None:
            lines.append(
                f"{found.subject}: its {same[1]} is the scan of {same[0]} under another name: left out of the "
                "splits"
            )
            continue
        owner.update(dict.fromkeys(voxels.values(), found.subject))
        kept.append(found)
    return kept, lines
