"""From subjects found in the sources to a data set: resumed, checked, split, reported."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from andi_bench.errors import UserError
from andi_bench.executor import Failure, each
from andi_bench.files import sweep, write_atomically
from datasets.adapters.folder import Progress
from datasets.prepare.found import Gathered, Incoming
from datasets.prepare.place.assignment import make_split, write_own_split
from datasets.prepare.place.subject_folder import (
    FULL,
    Placed,
    Recipe,
    Task,
    is_done,
    place_subject,
    read_sidecar,
)
from datasets.splits import Split

MARKER = "dataset.json"
FORMAT = "andi-bench prepared scans"
UNPACKED = ".unpacked"


@dataclass(frozen=True)
class Order:
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
class Collected:
    """What a prepare command came to.

    Parameters
    ----------
    prepared : list of dict
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

    prepared: list[dict[str, Any]]
    failed: dict[str, tuple[str, ...]]
    problems: list[str]
    notes: list[str]
    split: Split
    reused: int

    @property
    def sound(self) -> bool:
        """Whether nothing failed."""
        return not self.failed and not self.problems


def collect(order: Order, progress: Progress) -> Collected:
    """Prepare every subject that is not prepared yet, then write splits.

    A subject that fails does not hinder the others. What a killed command has finished is kept.

    Raises
    ------
    UserError
        When the output is not ours or was made otherwise, the sources hold no subject, or the disk is full.
    """
    output = order.output
    marker = claim(order)
    sweep(output)
    unpacked = output / UNPACKED
    gathered = _gathered(order, unpacked)
    pending = _pending(gathered, output)
    if any(
        file.kind == "unpacked" and not file.container.exists()
        for subject in pending
        for file in subject.files.values()
    ):
        # Listed by an earlier command, and used up by it: the archive is read once more.
        shutil.rmtree(unpacked)
        gathered = _gathered(order, unpacked)
        pending = _pending(gathered, output)
    if not gathered.subjects and not gathered.problems:
        raise UserError(f"prepare {order.dataset}: no scan found in the sources")
    _require_space(pending, order)
    failed: dict[str, tuple[str, ...]] = {}
    reused = len(gathered.subjects) - len(pending)
    if gathered.subjects:
        progress("preparing subjects", reused, len(gathered.subjects))
    tasks = [Task(subject, output, order.recipe) for subject in pending]
    for done, (task, placed) in enumerate(each(place_subject, tasks, order.workers), reused + 1):
        if isinstance(placed, Failure):
            placed = Placed(task.id, (placed.reason,))
        if placed.full:
            raise UserError(
                f"{output}: no space left ({placed.problems[0]}); {done - 1 - len(failed)} of "
                f"{len(gathered.subjects)} subjects are prepared and kept: make room and run again"
            )
        if placed.problems:
            failed[placed.id] = placed.problems
        progress("preparing subjects", done, len(gathered.subjects))
    # One that fails now may have been prepared once, from files that have changed since.
    prepared = [sidecar for sidecar in prepared_in(output) if sidecar["subject"] not in failed]
    problems, notes = list(gathered.problems), list(gathered.notes)
    distinct, twice = _distinct(prepared)
    problems += twice
    split, more = make_split(order.dataset, distinct, order.splits)

    def remember(hashes: dict[str, list[str]]) -> None:
        _write_marker(output, {**marker, "splits": hashes})

    notes += more
    if distinct:
        notes += write_own_split(split, output / "splits", marker["splits"], remember)
    for listing in unpacked.glob("*"):
        for scan in listing.glob("*.nii*"):  # of subjects that failed
            scan.unlink()
    return Collected(prepared, dict(sorted(failed.items())), problems, notes, split, reused)


def prepared_in(output: Path) -> list[dict[str, Any]]:
    """Return the sidecars of all subjects that are whole, sorted by id."""
    folders = sorted(p for p in output.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [found for folder in folders if (found := read_sidecar(folder)) is not None]


def claim(order: Order) -> dict[str, Any]:
    """Make the output ours, or find that it is; return what its marker says.

    Raises
    ------
    UserError
        When it holds something else, or was prepared with other options.
    """
    output = order.output
    path = output / MARKER
    wanted = {
        "format": FORMAT, "dataset": order.dataset, "recipe": order.recipe.description(), "splits": {},
    }  # fmt: skip
    if output.exists() and not output.is_dir():
        raise UserError(f"{output}: a file: a folder wanted")
    if not path.exists():
        strangers = (
            sorted(p.name for p in output.iterdir() if p.name != ".lock") if output.exists() else []
        )
        if strangers:
            raise UserError(
                f"{output}: holds '{strangers[0]}' and no {MARKER}, so it is left alone: a new or an empty "
                "folder wanted"
            )
        _write_marker(output, wanted)
        return wanted
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        same = found["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same or not isinstance(found.get("splits"), dict):
        raise UserError(f"{path}: not this command's: a new or an empty folder wanted")
    for key in ("dataset", "recipe"):
        if found.get(key) != wanted[key]:
            raise UserError(
                f"{output}: prepared with other options ({_difference(found.get(key), wanted[key])}): the same "
                "ones, or another folder, wanted"
            )
    return found


def _difference(found: Any, wanted: Any) -> str:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in wanted:
            if found.get(key) != wanted[key]:
                return f"{key} {json.dumps(found.get(key))}, now {json.dumps(wanted[key])}"
    return f"{found}, now {wanted}"


def _write_marker(output: Path, content: dict[str, Any]) -> None:
    write_atomically(output / MARKER, (json.dumps(content, indent=1) + "\n").encode())


def _gathered(order: Order, unpacked: Path) -> Gathered:
    try:
        return order.gather(unpacked)
    except OSError as error:
        where = error.filename or order.output
        left = "; make room and run again" if error.errno in FULL else ""
        raise UserError(f"{where}: {error.strerror or error}{left}") from error


def _pending(gathered: Gathered, output: Path) -> list[Incoming]:
    return [s for s in gathered.subjects if not is_done(s, read_sidecar(output / s.id))]


def _require_space(pending: Sequence[Incoming], order: Order) -> None:
    written = sum(
        file.size
        for subject in pending
        for file in subject.files.values()
        if file.kind in ("tar", "zip")
        or (file.kind == "file" and (order.recipe.copy or order.recipe.register))
    )
    free = shutil.disk_usage(order.output).free
    if written > free:
        raise UserError(
            f"{order.output}: {len(pending)} subjects take {written / 2**30:.2f} GiB, {free / 2**30:.2f} GiB are free: "
            "make room or name another --output"
        )


def _distinct(prepared: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Set aside subjects that hold a scan which another subject holds too."""
    owner: dict[str, str] = {}
    kept, lines = [], []
    for sidecar in prepared:
        twin = next(((owner[v], kind) for kind, v in sidecar["voxels"].items() if v in owner), None)
        if twin is not None:
            lines.append(
                f"{sidecar['subject']}: its {twin[1]} is the scan of {twin[0]} under another name: left out of the "
                "splits"
            )
            continue
        owner.update(dict.fromkeys(sidecar["voxels"].values(), sidecar["subject"]))
        kept.append(sidecar)
    return kept, lines
