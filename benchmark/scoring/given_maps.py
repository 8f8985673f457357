"""Anomaly maps made elsewhere: files found, brought to the working grid, and said so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.names import counted, part_of
from benchmark.scoring.score_scale import ScoreScale
from datasets.scans import grid
from datasets.scans.nifti import NiftiScan, read_nifti, same_place, turned_along
from datasets.volume import Volume

_ENDINGS = (".nii.gz", ".nii")

_NAMED = 5  # notes on headers that a record takes

LEAST_COVER = 0.95
"""Least share of a scan's brain that a map must cover."""


def map_files(folder: Path, subjects: Sequence[str]) -> dict[str, Path]:
    """Find the map of each subject: ``<subject>.nii.gz`` or ``<subject>.nii``.

    Parameters
    ----------
    folder : Path
        Where they lie; other files are passed over.
    subjects : sequence of str
        Whose maps are wanted.

    Raises
    ------
    UserError
        When the folder is missing or empty, a subject has no map (names the first, and says how many there are), or
        has two.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of maps")
    there = set(_maps_in(folder))
    if not there:
        raise UserError(f"{folder}: no map in it: <subject>.nii.gz wanted")
    found: dict[str, Path] = {}
    missing = []
    for subject in subjects:
        names = [f"{subject}{ending}" for ending in _ENDINGS if f"{subject}{ending}" in there]
        if len(names) > 1:
            raise UserError(f"{folder}: {names[0]} and {names[1]} are both there: one wanted")
        if names:
            found[subject] = folder / names[0]
        else:
            missing.append(subject)
    if missing:
        raise UserError(
            f"{folder}: no map of subject {missing[0]} ({part_of(len(missing), len(subjects), 'map', 'is', 'are')} missing, 0 wanted; "
            f"{missing[0]}.nii.gz wanted)"
        )
    return found


def unmatched_maps(folder: Path, known: Sequence[str]) -> list[str]:
    """Return the maps of a folder that belong to no subject of the data set, sorted."""
    names = {f"{subject}{ending}" for subject in known for ending in _ENDINGS}
    return sorted(set(_maps_in(folder)) - names)


def _maps_in(folder: Path) -> list[str]:
    try:
        return [
            path.name
            for path in folder.iterdir()
            if path.name.endswith(_ENDINGS) and not path.name.startswith(".")
        ]
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror or error})") from error


@dataclass
class Adaptations:
    """What happens to the maps on their way to the working grid, for the record's notes.

    ``scale``: what all of them go through, where float32 cannot tell their scores apart.
    """

    resampled: list[str] = field(default_factory=list)
    uncovered: dict[str, int] = field(default_factory=dict)
    negative: list[str] = field(default_factory=list)
    scale: ScoreScale | None = None
    headers: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """Return a line for each thing that a reader must know."""
        notes = ["maps made elsewhere: how they came to be is not known here"]
        if self.scale is not None:
            notes.append(self.scale.note())
        notes += self.headers[:_NAMED]
        if self.resampled:
            notes.append(
                f"{_maps(self.resampled)} had a grid other than the scan's and were resampled linearly"
            )
        if self.uncovered:
            voxels = sum(self.uncovered.values())
            notes.append(
                f"{_maps(list(self.uncovered))} leave out {counted(voxels, 'brain voxel')} of the scan: these got the "
                "map's lowest score"
            )
        if self.negative:
            notes.append(
                f"negative scores in {_maps(self.negative)}: outside the brain the median filter sees 0"
            )
        return notes


def _maps(subjects: Sequence[str]) -> str:
    return f"{counted(len(subjects), 'map')} ({subjects[0]}{', ...' if len(subjects) > 1 else ''})"


def to_working(
    path: Path, volume: Volume, size: int, adaptations: Adaptations
) -> NDArray[np.float32]:
    """Read a map and bring it to the working grid of its scan, as an image would be; float32 (X, Y, Z).

    A map on the scan's own grid is resized the very way the scan is, its axes turned first where they are named or run
    otherwise; one on the working grid is taken as it is; any other is first resampled linearly, through the world, to
    the scan's grid.

    Parameters
    ----------
    path : Path
        NIfTI file, one volume, finite.
    volume : Volume
        The scan.
    size : int
        Edge of the working grid's axial plane, voxels.
    adaptations : Adaptations
        Told what was done.

    Raises
    ------
    UserError
        For a file that cannot be read or is not finite, a map with the scan's shape in another place, and one
        that does not cover the scan's brain.
    """
    native = volume.native
    file = turned_along(read_map(path, adaptations.scale), native.shape, native.affine)
    adaptations.headers += [f"{path.name}: {note}" for note in file.notes]
    shape, affine = file.values.shape, file.affine
    if shape == native.shape and same_place(shape, native.affine, affine):
        scores = grid.to_working(file.values, native, size)
    elif shape == volume.shape and same_place(shape, volume.affine, affine):
        scores = np.asarray(file.values, dtype=np.float32)
    elif shape == native.shape:
        raise UserError(
            f"{path}: the scan's shape {'x'.join(map(str, shape))}, but another affine than the scan of subject "
            f"{volume.subject}: the scan's own affine wanted"
        )
    else:
        scores = grid.to_working(_through_the_world(file, volume, adaptations), native, size)
    if scores[volume.brain].min() < 0:
        adaptations.negative.append(volume.subject)
    return scores


def read_map(path: Path, scale: ScoreScale | None) -> NiftiScan:
    """Read a map, its scores as numbers that float32 holds.

    Parameters
    ----------
    path : Path
        Its file.
    scale : ScoreScale or None
        What all maps of the method go through (:func:`benchmark.scoring.score_scale.common_scale`); None: nothing.

    Raises
    ------
    UserError
        As :func:`datasets.scans.nifti.read_nifti`.
    """
    if scale is None:
        return read_nifti(path)
    file = read_nifti(path, exact=True)
    return replace(file, values=scale(file.values))


def _through_the_world(
    file: NiftiScan, volume: Volume, adaptations: Adaptations
) -> NDArray[np.float32]:
    """Resample a map linearly to the scan's grid; beyond its field it has its lowest score."""
    from scipy import ndimage

    native = volume.native
    step = np.linalg.inv(file.affine) @ native.affine
    values = np.asarray(file.values, dtype=np.float32)
    # Half a voxel beyond the centres still belongs to the map: its border is held there.
    places = _field(step, file.values.shape, native.shape)
    brain = grid.mask_to_native(volume.brain, native)
    missing = int(np.count_nonzero(brain & ~places))
    total = int(np.count_nonzero(brain))
    if missing > (1 - LEAST_COVER) * total:
        raise UserError(
            f"{file.path}: the map covers {1 - missing / total:.0%} of the brain of subject {volume.subject}: "
            f"at least {LEAST_COVER:.0%} wanted (is its affine the scan's?)"
        )
    adaptations.resampled.append(volume.subject)
    if missing:
        adaptations.uncovered[volume.subject] = missing
    inner = ndimage.affine_transform(
        values, step[:3, :3], step[:3, 3], native.shape, np.float32, order=1, mode="nearest"
    )
    return np.where(places, inner, values.min())


def _field(
    step: NDArray[np.float64], shape: tuple[int, ...], output: tuple[int, int, int]
) -> NDArray[np.bool_]:
    """Return the voxels of the scan's grid that lie within the map's voxels, bool (X, Y, Z)."""
    inside = np.ones(output, dtype=bool)
    axes = np.ogrid[tuple(slice(n) for n in output)]
    for row, count in zip(step[:3], shape, strict=True):
        place = row[3] + sum(weight * axis for weight, axis in zip(row[:3], axes, strict=True))
        inside &= (place >= -0.5 - 1e-6) & (place <= count - 0.5 + 1e-6)
    return inside
