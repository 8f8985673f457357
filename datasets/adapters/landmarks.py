"""Landmarks of a training split: where the percentiles of a modality come to lie (``preprocessing.normalisation: landmarks``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig, validated
from andi_bench.files import write_atomically
from datasets.adapters.base import DatasetAdapter, Progress
from datasets.adapters.contents import of_many
from datasets.adapters.training_split import kept_file, kept_values, training_subjects
from datasets.scans import bias_field, preprocess
from datasets.scans.normalisation import percentiles_of, standard_landmarks
from datasets.subject import Subject

VERSION = 1
"""Raised when the same scans would teach other landmarks."""


def wants_landmarks(config: PreprocessingConfig) -> bool:
    """Whether landmarks are to be learnt before anything can be read."""
    return config.normalisation == "landmarks" and config.landmarks is None


def with_landmarks(
    config: PreprocessingConfig,
    adapter: DatasetAdapter,
    folder: Path,
    workers: int | None = None,
    progress: Progress | None = None,
) -> PreprocessingConfig:
    """Return a configuration with the landmarks of a training split; as it is where it wants none.

    What was learnt is kept, named by the bytes of the scans it was learnt from.

    Parameters
    ----------
    config : PreprocessingConfig
        Normalisation, modalities, bias field.
    adapter : DatasetAdapter
        The data set that is learnt from; its lesion masks are not opened.
    folder : Path
        Where landmarks are kept.
    workers : int or None
        Threads that read; None: one a core, at most 8.
    progress : callable or None
        Called with the number of subjects done.

    Raises
    ------
    UserError
        When the training split is empty, or a scan of it cannot be read or has no contrast.
    """
    if not wants_landmarks(config):
        return config
    subjects = training_subjects(adapter, "normalisation = landmarks", instead="landmarks")
    parts = {"version": VERSION, "bias": (config.bias, bias_field.VERSION)}
    path = kept_file(folder, config, adapter, subjects, parts)
    learnt = kept_values(path)
    if learnt is None:
        learnt = _learnt(config, adapter, subjects, workers, progress)
        write_atomically(path, (json.dumps(learnt) + "\n").encode())
    values = {**config.described(), "landmarks": learnt}
    return validated(PreprocessingConfig, values, str(path), "preprocessing.")


def _learnt(
    config: PreprocessingConfig,
    adapter: DatasetAdapter,
    subjects: Sequence[Subject],
    workers: int | None,
    progress: Progress | None,
) -> list[list[float]]:
    def of(subject: Subject) -> list[NDArray[np.float64]]:
        scan = adapter.scan_for(subject, config, lesion=False)
        if config.bias != "none":
            scan = preprocess.unbiased(scan)
        return [
            percentiles_of(image[image > 0], name, subject.id)
            for name, image in zip(scan.modalities, scan.images, strict=True)
        ]

    found = of_many(of, subjects, "landmarks", progress, workers)
    return [list(standard_landmarks(one)) for one in zip(*found.values(), strict=True)]
