"""What is learnt from the scans of a training split before anything is read for good, and kept by their bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from datasets.adapters.base import DatasetAdapter
from datasets.scans import preprocess
from datasets.subject import Subject


def training_subjects(adapter: DatasetAdapter, setting: str, instead: str) -> Sequence[Subject]:
    """Return the subjects of the training split, which a setting needs.

    Raises
    ------
    UserError
        When there is none; names the setting, and the field that may be given ``instead``.
    """
    subjects = adapter.subjects_in("train")
    if not subjects:
        raise UserError(
            f"dataset '{adapter.name}': preprocessing.{setting}: its train split is empty, one subject or more wanted, "
            f"or preprocessing.{instead}"
        )
    return subjects


def kept_file(
    folder: Path,
    config: PreprocessingConfig,
    adapter: DatasetAdapter,
    subjects: Sequence[Subject],
    parts: Mapping[str, Any],
) -> Path:
    """Return where it is kept: named by the bytes of the subjects' scans and by what else it depends on, ``parts``."""
    parts = {
        **parts,
        "preprocessing_version": preprocess.VERSION,
        "modalities": config.modalities,
        "dataset": adapter.name,
        **adapter.revision(),
        "subjects": sorted(
            [s.id, adapter.content(s, config.modalities, lesion=False)] for s in subjects
        ),
    }
    text = json.dumps(parts, sort_keys=True)
    digest = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    return folder / f"{adapter.name}-{digest}.json"


def kept_values(path: Path) -> Any:
    """Return what is kept in a file; None where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
