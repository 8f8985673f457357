"""Anomaly maps on disk, one file a subject: what was scored is never scored again, and metrics read only this.

A file holds the map, the brain and lesion masks on the working grid, and the costs, as a plain .npz archive
(no pickle). Of a map that is 0 outside the brain, only the brain's voxels are kept.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.files import partial_file
from benchmark.scoring.kept_arrays import kept_arrays, said
from datasets.subject import Subject
from datasets.volume import LesionLoss, NativeGrid

_MAP = ("map", "score again")


@dataclass(frozen=True)
class NativeTruth:
    """What a map is held against on the scan's own grid.

    Parameters
    ----------
    grid : NativeGrid
        The scan's own grid, with shape (X, Y, Z).
    brain, lesion : bool (X, Y, Z)
        Brain mask, and the lesion mask as the file has it.
    spacing : (float, float, float)
        Voxel edges, mm.
    ignore : bool (X, Y, Z) or None
        Voxels that count for nobody; None where there are none.
    """

    grid: NativeGrid
    brain: NDArray[np.bool_]
    lesion: NDArray[np.bool_]
    spacing: tuple[float, float, float]
    ignore: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class ScoredSubject:
    """One subject as the evaluation sees it.

    Parameters
    ----------
    subject : str
        Identifier.
    map : float32 (X, Y, Z)
        Anomaly map, finite.
    brain : bool (X, Y, Z)
        Brain mask.
    lesion : bool (X, Y, Z) or None
        Lesion mask; None where unknown.
    spacing : (float, float, float)
        Voxel edges, mm.
    site : str
        Scanner or hospital.
    attributes : dict
        Further columns of the split.
    costs : dict
        seconds, network_calls, slices, peak_memory_mb.
    loss : LesionLoss or None
        Lesions that the working grid loses; None where not known.
    native : NativeTruth or None
        Where the map is to be measured on the scan's own grid; not kept on disk.
    ignore : bool (X, Y, Z) or None
        Voxels that count for nobody; None where there are none.
    notes : tuple of str
        What a reader should know of the scan's files.
    """

    subject: str
    map: NDArray[np.float32]
    brain: NDArray[np.bool_]
    lesion: NDArray[np.bool_] | None
    spacing: tuple[float, float, float]
    site: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    loss: LesionLoss | None = None
    native: NativeTruth | None = None
    ignore: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MapStore:
    """A folder of scored subjects.

    Parameters
    ----------
    folder : Path
        Made when the first subject is saved.
    stamps : dict
        For each subject a text that changes when its files do, so that a stale map is not taken for good.
    images : dict
        As ``stamps``, of the images alone: the map of a scan whose lesion mask was corrected is still its map.
    people : mapping of str to Subject
        Subjects as they are now: where they are given, site and further columns come from here, for they may have been
        corrected since the map was made.
    """

    folder: Path
    stamps: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    people: Mapping[str, Subject] = field(default_factory=dict)

    def path(self, subject: str) -> Path:
        """Return the file of a subject."""
        stamp = self.stamps.get(subject, "")
        return self.folder / (f"{subject}.{stamp}.npz" if stamp else f"{subject}.npz")

    def __contains__(self, subject: str) -> bool:
        return self.path(subject).is_file()

    def scored_before(self, subject: str) -> Path | None:
        """Return a file with a map of a subject's images as they are, beside whatever mask; None where there is none."""
        images = self.images.get(subject)
        if not images or not self.folder.is_dir():
            return None
        for path in sorted(self.folder.glob(f"{glob.escape(subject)}.*.npz")):
            try:
                with kept_arrays(path, *_MAP) as (_, meta):
                    found = meta
            except UserError:
                continue
            if (found["subject"], found.get("images")) == (subject, images):
                return path
        return None

    def of_the_images(self, subject: str) -> ScoredSubject | None:
        """Return a map of a subject's images as they are, held against an earlier mask; None where there is none."""
        path = self.scored_before(subject)
        return self._read(path, subject) if path is not None else None

    def save(self, scored: ScoredSubject) -> None:
        """Write one subject atomically.

        Raises
        ------
        UserError
            When the file cannot be written.
        """
        meta = asdict(replace(scored, native=None))
        del meta["native"]
        if scored.subject in self.images:
            meta["images"] = self.images[scored.subject]
        if not scored.notes:
            del meta["notes"]
        arrays = {key: meta.pop(key) for key in ("map", "brain", "lesion", "ignore")}
        inside = arrays["brain"]
        whole = bool(np.any(arrays["map"][~inside]))
        packed: dict[str, Any] = {
            "map": arrays["map"] if whole else arrays["map"][inside],
            "shape": np.array(inside.shape),
            "brain": np.packbits(arrays["brain"]),
            "meta": said(meta),
        }
        for key in ("lesion", "ignore"):
            if arrays[key] is not None:
                packed[key] = np.packbits(arrays[key])
        path = self.path(scored.subject)
        with partial_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **packed)

    def load(self, subject: str) -> ScoredSubject:
        """Read one subject.

        Raises
        ------
        UserError
            When the file is missing or damaged.
        """
        return self._read(self.path(subject), subject)

    def _read(self, path: Path, subject: str) -> ScoredSubject:
        with kept_arrays(path, *_MAP) as (arrays, meta):
            scores = arrays["map"]
            shape = tuple(arrays["shape"])
            masks = {
                key: np.unpackbits(arrays[key], count=int(np.prod(shape)))
                .reshape(shape)
                .astype(bool)
                for key in ("brain", "lesion", "ignore")
                if key in arrays
            }
            if scores.ndim == 1:
                inside, scores = scores, np.zeros(shape, dtype=np.float32)
                scores[masks["brain"]] = inside
        meta.pop("images", None)
        meta["spacing"] = tuple(meta["spacing"])
        if meta.get("loss") is not None:
            lost = tuple((ml, tuple(centre)) for ml, centre in meta["loss"]["lost"])
            meta["loss"] = LesionLoss(meta["loss"]["total"], lost)
        now = self.people.get(subject)
        if now is not None:
            meta["attributes"] = dict(now.attributes)
            meta["site"] = now.attributes.get("site") or now.site
        meta["notes"] = tuple(meta.get("notes", ()))
        return ScoredSubject(
            map=scores,
            brain=masks["brain"],
            lesion=masks.get("lesion"),
            ignore=masks.get("ignore"),
            **meta,
        )
