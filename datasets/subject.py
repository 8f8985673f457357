"""One subject's files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Subject:
    """A subject as found on disk.

    Parameters
    ----------
    id : str
        Identifier, unique within the data set.
    paths : mapping of str to Path
        File of each modality that is there.
    mask : Path or None
        Lesion mask; None where there is none.
    site : str
        Scanner or hospital, "" where unknown.
    attributes : mapping
        Further columns of the split's CSV (age, sex, ...).
    person : str
        Whose scan it is; "" where nothing is said but the id, from which the data set tells it
        (:mod:`datasets.persons`).
    labels : mapping or None
        What the mask's values mean, where its preparation said so: fields of
        :class:`datasets.scans.lesion_mask.LesionRule`. None: what the data set's options say.
    """

    id: str
    paths: dict[str, Path]
    mask: Path | None = None
    site: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    person: str = ""
    labels: dict[str, Any] | None = None
