"""What a subject's files hold, in a few letters: by it slices, trainings, maps and records are found again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from andi_bench.errors import UserError
from andi_bench.executor import default_workers
from datasets.scans.fingerprints import READ_SINCE, FingerprintCache
from datasets.scans.lesion_mask import LesionRule, admits
from datasets.scans.read_otherwise import AS_EVER
from datasets.subject import Subject
from datasets.volume import MODALITIES

Progress = Callable[[str, int, int], None]
"""Called with what is done, the number done, and the number of all."""

T = TypeVar("T")


def image_content(hashes: FingerprintCache, path: Path) -> str:
    """Identify an image's file: the hash of its bytes; before it, of a file that is not read as ever, since when.

    What was made of such a file by a version that read it otherwise is not found by it: its bytes are the same.
    """
    bytes_, since = hashes.hash(path, "file"), int(hashes.hash(path, READ_SINCE), 16)
    return bytes_ if since == AS_EVER else f"reading {since}:{bytes_}"


def subject_content(
    hashes: FingerprintCache, subject: Subject, modalities: Sequence[str], mask: Path | None
) -> list[str]:
    """Identify a subject's files: images in the order of the modalities, the lesion mask, ``brain:`` and the brain mask."""
    paths = [subject.paths[name] for name in modalities if name in subject.paths]
    found = [image_content(hashes, path) for path in paths]
    if mask is not None:
        found.append(hashes.hash(mask, "file"))
    brain: Path | None = getattr(subject, "brain", None)
    if brain is not None:
        found.append(f"brain:{hashes.hash(brain, 'file')}")
    return found


def first_image(hashes: FingerprintCache, subject: Subject) -> str:
    """Hash the voxels of a subject's FLAIR, else of the first modality that is there."""
    first = next(name for name in MODALITIES if name in subject.paths)
    return hashes.hash(subject.paths[first], "voxels")


def every_image(
    hashes: FingerprintCache, subject: Subject, modalities: Sequence[str]
) -> dict[Path, str]:
    """Hash the voxels of those of the modalities that are there, by file.

    Raises
    ------
    UserError
        For a file that is no scan, or cannot be read: names the file and the subject, before anything is learnt from others.
    """
    found = {}
    for name in modalities:
        path = subject.paths.get(name)
        if path is None:
            continue
        try:
            found[path] = hashes.hash(path, "voxels")
            # told by the same reading, or else while others are read too
            hashes.hash(path, READ_SINCE)
        except UserError as error:
            raise UserError(f"{error} (subject {subject.id})") from error
    return found


def files_agree(
    hashes: FingerprintCache, subject: Subject, modalities: Sequence[str], rule: LesionRule
) -> bool:
    """Whether a subject's images and lesion mask lie on one grid, and the mask holds what a rule admits.

    By what is remembered of the files, so that it costs next to nothing again; False also where it takes a look at the
    voxels to tell.

    Raises
    ------
    UserError
        For a file that cannot be read.
    """
    paths = [subject.paths[name] for name in modalities if name in subject.paths]
    mask = subject.mask
    if mask is not None:
        if int(hashes.hash(mask, "mask"), 16) != 1 or not admits(rule, hashes.hash(mask, "labels")):
            return False
        paths.append(mask)
    return len({hashes.hash(path, "grid") for path in paths}) <= 1


def of_many(
    task: Callable[[Subject], T],
    subjects: Sequence[Subject],
    what: str,
    progress: Progress | None,
    workers: int | None = None,
) -> dict[str, T]:
    """Return what a task returns of each subject, by id; several are read at once, by ``workers`` threads (None: one a core)."""
    out: dict[str, T] = {}
    with ThreadPoolExecutor(workers or default_workers()) as pool:
        found = pool.map(task, subjects)
        for done, (subject, one) in enumerate(zip(subjects, found, strict=True), start=1):
            out[subject.id] = one
            if progress is not None:
                progress(what, done, len(subjects))
    return out
