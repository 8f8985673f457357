"""The box that holds the brains of a training split (``preprocessing.crop: brain``), found once and kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig, validated
from andi_bench.files import write_atomically
from datasets.adapters.base import DatasetAdapter, Progress
from datasets.adapters.contents import of_many
from datasets.adapters.training_split import kept_file, kept_values, training_subjects
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
    subjects = training_subjects(adapter, "crop = brain", instead="crop_box")
    parts = {"version": crop.VERSION, "grid": (config.size, config.field_of_view)}
    path = kept_file(folder, config, adapter, subjects, parts)
    box = kept_values(path)
    if box is None:
        # the brain mask depends on no bias field, which would be estimated for nothing
        plain = config.model_copy(update={"bias": "none"})

        def of(subject: Subject) -> NDArray[np.bool_]:
            return preprocess.working_brain(adapter.scan_for(subject, plain, lesion=False), plain)

        found = of_many(of, subjects, "brain box", progress, workers)
        box = crop.box_around(found.values(), config.size)
        write_atomically(path, json.dumps(box) + "\n")
    values = {**config.described(), "crop_box": box}
    return validated(PreprocessingConfig, values, str(path), "preprocessing.")
