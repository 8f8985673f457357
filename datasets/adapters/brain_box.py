"""The box that holds the brains of a training split (``preprocessing.crop: brain``), found once and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig, validated
from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from datasets.adapters.base import DatasetAdapter, Progress
from datasets.adapters.contents import of_many
from datasets.scans import crop, preprocess
from datasets.subject import Subject


def wants_box(config: PreprocessingConfig) -> bool:
    """Whether a box is to be found before anything can be learnt or scored."""
    return config.crop == "brain" and config.crop_box is None


def with_box(
    config: PreprocessingConfig,
    adapter: DatasetAdapter,
    folder: Path,
    workers: int | None = None,
    progress: Progress | None = None,
) -> PreprocessingConfig:
    """Return a configuration with the box of a training split; as it is where it wants none.

    Brain masks are read, lesion masks are not. What was found is kept, named by the bytes of the scans.

    Parameters
    ----------
    config : PreprocessingConfig
        Working grid, modalities.
    adapter : DatasetAdapter
        The data set that is learnt from.
    folder : Path
        Where boxes are kept.
    workers : int or None
        Threads that read; None: one a core, at most 8.
    progress : callable or None
        Called with the number of subjects done.

    Raises
    ------
    UserError
        When the training split is empty, or a scan of it cannot be read or has no brain.
    """
    if not wants_box(config):
        return config
    subjects = adapter.subjects_in("train")
    if not subjects:
        raise UserError(
            f"dataset '{adapter.name}': preprocessing.crop = brain: its train split is empty, one subject or more wanted, "
            "or preprocessing.crop_box"
        )
    path = folder / f"{_name(config, adapter, subjects)}.json"
    box = _kept(path, config)
    if box is not None:
        return box
    # the brain mask depends on no bias field, which would be estimated for nothing
    plain = config.model_copy(update={"bias": "none"})

    def of(subject: Subject) -> NDArray[np.bool_]:
        return preprocess.working_brain(adapter.scan_for(subject, plain, lesion=False), plain)

    found = of_many(of, subjects, "brain box", progress, workers)
    write_atomically(path, json.dumps(crop.box_around(found.values(), config.size)) + "\n")
    settled = _kept(path, config)
    assert settled is not None
    return settled


def _name(config: PreprocessingConfig, adapter: DatasetAdapter, subjects: Sequence[Subject]) -> str:
    parts = {
        "version": crop.VERSION,
        "preprocessing_version": preprocess.VERSION,
        "grid": (config.size, config.field_of_view),
        "modalities": config.modalities,
        "dataset": adapter.name,
        **adapter.revision(),
        "subjects": sorted(
            [s.id, adapter.content(s, config.modalities, lesion=False)] for s in subjects
        ),
    }
    text = json.dumps(parts, sort_keys=True)
    return f"{adapter.name}-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"


def _kept(path: Path, config: PreprocessingConfig) -> PreprocessingConfig | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    values = {**config.described(), "crop_box": found}
    return validated(PreprocessingConfig, values, str(path), "preprocessing.")
