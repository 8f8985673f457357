"""The built-in phantom: subjects with real anatomy and lesions with exact masks, from a seed for each split.

Written once as NIfTI in the BraTS21 layout, so that the adapter of real scans reads it. A detector that does
well here has shown that it works, not that it is of any use on people.

Licence of the anatomy: :data:`datasets.phantom.template.TEMPLATE_LICENCE`; the manifest repeats it.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from andi_bench.errors import UserError
from andi_bench.executor import completed
from andi_bench.files import sweep, whole_folder, write_atomically
from andi_bench.locks import LOCK, exclusive
from datasets.adapters.base import Progress
from datasets.phantom.recipe import (
    PhantomConfig,
    PhantomSubject,
    SplitCounts,
    SplitSeeds,
    make_subject,
    subjects_of,
)
from datasets.phantom.template import TEMPLATE_LICENCE, TEMPLATE_NAME, Template, load_template
from datasets.splits import PARTS
from datasets.volume import MODALITIES

__all__ = [
    "MANIFEST",
    "PhantomConfig",
    "SplitCounts",
    "SplitSeeds",
    "build_phantom",
]

MANIFEST = "manifest.json"
CSV_COLUMNS = ("Subject_ID", "site", "age", "sex", "kind")
FORMAT = "andi-bench phantom"


def build_phantom(
    root: Path,
    config: PhantomConfig,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Path:
    """Build a phantom, or find it built.

    Writes ``<root>/<subject>/<subject>_{flair,t1,t1ce,t2,seg}.nii.gz``, ``<root>/splits/scans_{train,val,test}.csv`` and
    ``<root>/manifest.json``. A subject's folder appears whole or not at all; after an interruption the
    finished ones are kept. Another process that builds the same phantom is waited for.

    Parameters
    ----------
    root : Path
        The phantom's own folder. One that holds anything else is refused.
    config : PhantomConfig
        What to build. A phantom of other parameters found under ``root`` is replaced.
    progress : callable, optional
        Called as ``progress("phantom", done, total)`` after every subject.
    workers : int, optional
        Processes; by default one per CPU that may be used, at most 8. The phantom does not depend on it.

    Returns
    -------
    Path
        ``root``.

    Raises
    ------
    UserError
        When ``root`` holds something that is not a phantom, or cannot be written to.
    """
    root = Path(root)
    parameters = config.model_dump(mode="json")
    try:
        found = _manifest(root)
        subjects = subjects_of(config)
        built = found is not None and found["complete"] and found["parameters"] == parameters
        if built and all(_finished(root, subject) for subject in subjects):
            return root
        root.mkdir(parents=True, exist_ok=True)
        with exclusive(root):
            found = _manifest(root)
            if found is not None and found["parameters"] != parameters:
                _clear(root, found)
            _write_manifest(root, config, None)
            sweep(root)
            _build_missing(root, subjects, progress, workers)
            _write_splits(root, subjects)
            _write_manifest(root, config, [_described(root, subject) for subject in subjects])
    except OSError as error:
        raise UserError(
            f"phantom: cannot write to {root}: {error.strerror or error} "
            f"(a writable folder with about {_megabytes(config)} MB free wanted)"
        ) from error
    return root


def _megabytes(config: PhantomConfig) -> int:
    return max(1, round(len(subjects_of(config)) * 17 / config.spacing**3))


def _manifest(root: Path) -> dict[str, Any] | None:
    path = root / MANIFEST
    if not root.exists():
        return None
    if not root.is_dir():
        raise UserError(f"phantom: {root} is a file: a folder wanted")
    if not path.exists():
        others = [p.name for p in root.iterdir() if p.name != LOCK]
        if others:
            raise UserError(
                f"phantom: {root} holds '{min(others)}' and no {MANIFEST}, so it is not a "
                "phantom and is left alone: an empty or new folder wanted"
            )
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] == FORMAT and isinstance(found["subject_ids"], list):
            return {"parameters": found["parameters"], "complete": bool(found["complete"]), **found}
    except (ValueError, KeyError, TypeError):
        pass
    raise UserError(
        f"phantom: {path} is not the manifest of a phantom, so {root} is left alone: "
        "an empty or new folder wanted"
    )


def _clear(root: Path, manifest: dict[str, Any]) -> None:
    # Only what a phantom wrote: subjects in its manifest, and the splits.
    for subject in manifest["subject_ids"]:
        folder = root / str(subject)
        if folder.parent == root and folder.is_dir():
            shutil.rmtree(folder)
    for split in PARTS:
        (root / "splits" / f"scans_{split}.csv").unlink(missing_ok=True)


def _files(folder: Path, subject: str) -> dict[str, Path]:
    return {part: folder / f"{subject}_{part}.nii.gz" for part in (*MODALITIES, "seg")}


def _finished(root: Path, subject: PhantomSubject) -> bool:
    return all(path.is_file() for path in _files(root / subject.id, subject.id).values())


def _build_missing(
    root: Path, subjects: list[PhantomSubject], progress: Progress | None, workers: int | None
) -> None:
    missing = [subject for subject in subjects if not _finished(root, subject)]
    done = len(subjects) - len(missing)
    if not missing:
        return
    if progress is not None:
        progress("phantom", done, len(subjects))
    template = load_template().smoothed(missing[0].config.spacing)
    for _ in completed(partial(_write_subject, root, template), missing, workers):
        done += 1
        if progress is not None:
            progress("phantom", done, len(subjects))


def _write_subject(root: Path, template: Template, subject: PhantomSubject) -> None:
    scans, segmentation, grid = make_subject(subject, template)
    with whole_folder(root / subject.id) as folder:
        for part, path in _files(folder, subject.id).items():
            values = segmentation if part == "seg" else scans[part]
            image = nib.Nifti1Image(values, grid.affine)
            image.header.set_xyzt_units("mm")
            nib.save(image, path)


def _described(root: Path, subject: PhantomSubject) -> dict[str, Any]:
    path = _files(root / subject.id, subject.id)["seg"]
    lesion = np.asanyarray(nib.load(path).dataobj) > 0  # type: ignore[attr-defined]
    _, count = ndimage.label(lesion, structure=np.ones((3, 3, 3)))
    millilitres = round(float(lesion.sum()) * subject.config.spacing**3 / 1000, 3)
    return {
        "id": subject.id,
        "split": subject.split,
        "kind": subject.person()["kind"],
        "lesion_ml": millilitres,
        "lesions": int(count),
    }


def _write_splits(root: Path, subjects: list[PhantomSubject]) -> None:
    folder = root / "splits"
    for split in PARTS:
        text = io.StringIO()
        writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(subject.person() for subject in subjects if subject.split == split)
        write_atomically(folder / f"scans_{split}.csv", text.getvalue())


def _write_manifest(
    root: Path, config: PhantomConfig, subjects: list[dict[str, Any]] | None
) -> None:
    # Written before the first subject too: it is how an interrupted phantom differs from a folder of something else.
    manifest = {
        "format": FORMAT,
        "complete": subjects is not None,
        "seeds": config.seeds.model_dump(mode="json"),
        "version": config.version,
        "parameters": config.model_dump(mode="json"),
        "template": TEMPLATE_NAME,
        "template_licence": TEMPLATE_LICENCE,
        "subject_ids": [subject.id for subject in subjects_of(config)],
        "subjects": subjects or [],
    }
    write_atomically(root / MANIFEST, json.dumps(manifest, indent=2) + "\n")
