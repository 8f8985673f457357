"""Previews: scan, anomaly maps and lesion of a few subjects, small enough to lie in a run record.

A page made from run records alone has no volume to show. So a run leaves, for a few of its subjects, the scan and the
post-processed maps on the working grid, cut to the brain and reduced to every second voxel or so. Voxels are picked,
never averaged: a score that is shown is a score of the map, and the lesion mask beside it is that of the same voxel.

``previews/<subject>.npz`` holds plain arrays:

``scan``
    uint8 (X, Y, Z): the first modality, 0 to its 99.5th percentile in the brain on 0 to 255.
``modalities``
    str (M,): names of the modalities that are kept, the first one first; absent in files of before. Last, where a method
    compares a scan with an image, and quickly: ``expected (<modality>)``, that image.
``scan/<modality>``
    uint8 (X, Y, Z): each of the others, as ``scan``; the image expected in the window of its modality.
``mask``
    uint8 (X, Y, Z): 1 for brain, plus 2 for lesion.
``map/<chain>``
    uint8 (X, Y, Z): how many of ``edges/<chain>`` lie below the score; 0 outside the brain.
``edges/<chain>``
    float32 (E,), ascending, E <= 255: scores. ``score > edges[k]`` is ``map > k``, exactly. Every threshold of an
    operating point is among them, so a detection is shown as it was measured.
``range/<chain>``
    float32 (2,): lowest and highest score in the brain.
``spacing``
    float64 (3,): distance of neighbouring voxels of the preview, mm.
``grid``
    int64 (3, 2): first voxel of the working grid along each axis, and the step.

Axes are those of the working grid: x to the left, y to the back, z to the top of the head.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError

FOLDER = "previews"
LONGEST = 80
"""Largest edge of a preview, voxels."""
_MARGIN = 1
_EDGES = 255
_LARGEST = 64 * 2**20
"""Bytes that a file of previews may unpack to: a record may come from elsewhere."""


@dataclass(frozen=True)
class PreviewMap:
    """A post-processed map of a preview.

    Parameters
    ----------
    codes : uint8 (X, Y, Z)
        How many edges lie below the score; 0 outside the brain.
    edges : float32 (E,)
        Ascending scores; ``score > edges[k]`` is ``codes > k``.
    low, high : float
        Lowest and highest score in the brain.
    """

    codes: NDArray[np.uint8]
    edges: NDArray[np.float32]
    low: float
    high: float


@dataclass(frozen=True)
class Preview:
    """What is shown of one subject.

    Parameters
    ----------
    scans : dict of uint8 (X, Y, Z)
        By modality, one at least; the first is shown first. Its name is "" in files that do not tell it.
    brain, lesion : bool (X, Y, Z)
        Masks.
    maps : dict of PreviewMap
        By chain of post-processing.
    spacing : (float, float, float)
        Distance of neighbouring voxels, mm.
    origin, step : (int, int, int)
        First voxel of the working grid, and every how many-th is kept.
    """

    scans: dict[str, NDArray[np.uint8]]
    brain: NDArray[np.bool_]
    lesion: NDArray[np.bool_]
    maps: dict[str, PreviewMap]
    spacing: tuple[float, float, float]
    origin: tuple[int, int, int]
    step: tuple[int, int, int]

    @property
    def scan(self) -> NDArray[np.uint8]:
        """First modality: uint8 (X, Y, Z)."""
        return next(iter(self.scans.values()))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the plain arrays that a file holds."""
        out: dict[str, NDArray[Any]] = {
            "scan": self.scan,
            "mask": (self.brain + 2 * self.lesion).astype(np.uint8),
            "spacing": np.array(self.spacing, dtype=np.float64),
            "grid": np.array([self.origin, self.step], dtype=np.int64).T,
        }
        names = list(self.scans)
        if any(names):
            out["modalities"] = np.array(names, dtype=np.str_)
        out |= {f"scan/{name}": self.scans[name] for name in names[1:]}
        for chain, shown in self.maps.items():
            out[f"map/{chain}"] = shown.codes
            out[f"edges/{chain}"] = shown.edges
            out[f"range/{chain}"] = np.array([shown.low, shown.high], dtype=np.float32)
        return out


def choose(
    subjects: Sequence[str],
    lesion_ml: Mapping[str, float],
    dice: Mapping[str, float],
    most: int,
) -> list[str]:
    """Choose the subjects that are shown.

    Half of them are spread evenly over the lesion volumes: they are the same for every run on these subjects, so that
    methods can be seen side by side. The other half are spread evenly over the run's own Dice, the worst and the best
    among them.

    Parameters
    ----------
    subjects : sequence of str
        All that were evaluated.
    lesion_ml, dice : mapping of str to float
        By subject; a subject without Dice counts as one of Dice 0.
    most : int
        How many; all, where there are no more.

    Returns
    -------
    list of str
        In the order of ``subjects``.
    """
    if len(subjects) <= most:
        return list(subjects)
    by_lesion = sorted(subjects, key=lambda name: (lesion_ml.get(name, 0.0), name))
    by_dice = sorted(subjects, key=lambda name: (dice.get(name, 0.0), name))
    chosen = dict.fromkeys(_spread(by_lesion, (most + 1) // 2))
    rest = [name for name in by_dice if name not in chosen]
    chosen |= dict.fromkeys(_spread(rest, most - len(chosen)))
    return [name for name in subjects if name in chosen]


def _spread(ordered: Sequence[str], count: int) -> list[str]:
    if count <= 1:
        return [ordered[len(ordered) // 2]] if count == 1 else []
    places = [round(k * (len(ordered) - 1) / (count - 1)) for k in range(count)]
    return [ordered[place] for place in places]


def reduced_scan(scan: NDArray[np.float32], brain: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Reduce a modality to what a preview shows of it.

    Parameters
    ----------
    scan : float32 (X, Y, Z)
        On the working grid, about [0, 1].
    brain : bool (X, Y, Z)
        Brain mask.

    Returns
    -------
    uint8 (x, y, z)
        The brain's box, thinned; 255 is the brain's 99.5 % quantile.
    """
    values = scan[brain]
    top = float(np.quantile(values, 0.995)) if values.size else 1.0
    shown = np.clip(scan[_cut(brain)[0]] / (top if top > 0 else 1.0), 0.0, 1.0)
    return np.ascontiguousarray(np.rint(255 * shown).astype(np.uint8))


def reduced_levels(
    levels: NDArray[np.uint8], box: tuple[slice, slice], brain: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Reduce gray levels that are there already to what a preview shows of them.

    Parameters
    ----------
    levels : uint8 (X', Y', Z)
        One modality in ``box``: 255 is the brain's 99.5 % quantile.
    box : (slice, slice)
        Where they lie in the axial plane of the working grid; what is outside is shown black.
    brain : bool (X, Y, Z)
        Brain mask.

    Returns
    -------
    uint8 (x, y, z)
        The brain's box, thinned, as :func:`reduced_scan` has it.
    """
    whole = np.zeros(brain.shape, dtype=np.uint8)
    whole[box] = levels
    return np.ascontiguousarray(whole[_cut(brain)[0]])


def kept_slices(brain: NDArray[np.bool_]) -> list[int]:
    """Return the axial slices of the working grid that a preview keeps, ascending; the brain mask is bool (X, Y, Z)."""
    along_z = _cut(brain)[0][2]
    return list(range(along_z.start, along_z.stop, along_z.step))


def _cut(
    brain: NDArray[np.bool_],
) -> tuple[tuple[slice, slice, slice], list[tuple[int, int]], tuple[int, int, int]]:
    box, step = _box(brain)
    x, y, z = (slice(low, high, k) for (low, high), k in zip(box, step, strict=True))
    return (x, y, z), box, step


def make_preview(
    scans: Mapping[str, NDArray[np.uint8]],
    brain: NDArray[np.bool_],
    lesion: NDArray[np.bool_],
    maps: Mapping[str, NDArray[np.float32]],
    thresholds: Mapping[str, Iterable[float]],
    spacing: tuple[float, float, float],
) -> Preview:
    """Reduce one subject to what is shown of it.

    Parameters
    ----------
    scans : mapping of str to uint8 (x, y, z)
        By modality, one at least, from :func:`reduced_scan` or :func:`reduced_levels`; the first is shown first.
    brain, lesion : bool (X, Y, Z)
        Masks on the working grid.
    maps : mapping of str to float32 (X, Y, Z)
        Post-processed maps by chain, finite.
    thresholds : mapping of str to floats
        By chain: scores that must be told apart exactly.
    spacing : (float, float, float)
        Voxel edges of the working grid, mm.
    """
    cut, box, step = _cut(brain)
    inside = brain[cut]
    return Preview(
        scans=dict(scans),
        brain=np.ascontiguousarray(inside),
        lesion=np.ascontiguousarray(lesion[cut]),
        maps={
            chain: _coded(scores[brain], scores[cut], inside, thresholds.get(chain, ()))
            for chain, scores in maps.items()
        },
        spacing=tuple(float(e * k) for e, k in zip(spacing, step, strict=True)),  # type: ignore[arg-type]
        origin=tuple(low for low, _ in box),  # type: ignore[arg-type]
        step=step,
    )


def _box(brain: NDArray[np.bool_]) -> tuple[list[tuple[int, int]], tuple[int, int, int]]:
    """Return the brain's bounding box with a margin, and the step along each axis."""
    box = []
    for axis, size in enumerate(brain.shape):
        others = tuple(other for other in range(3) if other != axis)
        hit = np.flatnonzero(brain.any(axis=others))
        low, high = (int(hit[0]), int(hit[-1]) + 1) if len(hit) else (0, size)
        box.append((max(0, low - _MARGIN), min(size, high + _MARGIN)))
    x, y, z = (-(-(high - low) // LONGEST) for low, high in box)
    return box, (x, y, z)


def _coded(
    inside: NDArray[np.float32],
    scores: NDArray[np.float32],
    brain: NDArray[np.bool_],
    thresholds: Iterable[float],
) -> PreviewMap:
    """Quantise a map: half of the edges evenly over the scores, half by rank, denser towards the top."""
    wanted = [np.float32(value) for value in thresholds if np.isfinite(value)]
    low, high = (float(inside.min()), float(inside.max())) if inside.size else (0.0, 0.0)
    # a threshold beyond all scores needs no edge of its own: nothing is above it
    exact = np.unique(np.array([v for v in wanted if low <= v <= high], dtype=np.float32))
    room = _EDGES - len(exact)
    even = np.linspace(low, high, room // 2, dtype=np.float32)
    ranks = 1 - np.geomspace(1, 1e-4, room - len(even))
    by_rank = np.quantile(inside, ranks) if inside.size else np.zeros(1)
    edges = np.unique(np.concatenate([exact, even, by_rank.astype(np.float32)]))
    codes = np.searchsorted(edges, scores, side="left").astype(np.uint8)
    return PreviewMap(np.ascontiguousarray(np.where(brain, codes, 0)), edges, low, high)


def write_preview(path: Path, preview: Preview) -> None:
    """Write a preview as a compressed .npz of plain arrays; equal previews give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in preview.arrays().items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # the fixed date that such entries begin with
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def find_previews(record: Path) -> dict[str, Path]:
    """Return the previews of a run record by subject; none where it has none."""
    return {path.stem: path for path in sorted((record / FOLDER).glob("*.npz")) if path.is_file()}


def read_preview(path: Path) -> Preview:
    """Read a preview.

    Raises
    ------
    UserError
        When the file is no preview, or not a whole one: names it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise ValueError("larger than any preview")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _checked(arrays)
    except Exception as error:  # zipfile, zlib and numpy each raise their own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: not a preview ({reason})") from error


def _checked(arrays: Mapping[str, NDArray[Any]]) -> Preview:
    scan, mask = arrays["scan"], arrays["mask"]
    spacing, grid = arrays["spacing"], arrays["grid"]
    _demand(scan.ndim == 3 and scan.dtype == np.uint8 and 0 < max(scan.shape) <= 1024, "scan")
    _demand(min(scan.shape) > 0, "scan")
    scans = _checked_scans(arrays)
    _demand(mask.shape == scan.shape and mask.dtype == np.uint8, "mask")
    _demand(spacing.shape == (3,) and spacing.dtype == np.float64, "spacing")
    _demand(bool(np.isfinite(spacing).all() and (spacing > 0).all()), "spacing")
    _demand(
        grid.shape == (3, 2) and grid.dtype == np.int64 and bool((grid[:, 1] > 0).all()), "grid"
    )
    maps = {}
    for chain in [name.removeprefix("map/") for name in arrays if name.startswith("map/")]:
        codes, edges, limits = (arrays[f"{kind}/{chain}"] for kind in ("map", "edges", "range"))
        _demand(codes.shape == scan.shape and codes.dtype == np.uint8, f"map/{chain}")
        _demand(edges.ndim == 1 and edges.dtype == np.float32, f"edges/{chain}")
        _demand(0 < len(edges) <= _EDGES and bool(np.isfinite(edges).all()), f"edges/{chain}")
        _demand(bool((np.diff(edges) > 0).all()), f"edges/{chain}")
        _demand(limits.shape == (2,) and bool(np.isfinite(limits).all()), f"range/{chain}")
        maps[chain] = PreviewMap(codes, edges, float(limits[0]), float(limits[1]))
    x, y, z = (float(edge) for edge in spacing)
    origin = (int(grid[0, 0]), int(grid[1, 0]), int(grid[2, 0]))
    step = (int(grid[0, 1]), int(grid[1, 1]), int(grid[2, 1]))
    return Preview(scans, mask & 1 > 0, mask & 2 > 0, maps, (x, y, z), origin, step)


def _checked_scans(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.uint8]]:
    """Return the modalities, the first one first; "" names it where the file does not."""
    scan = arrays["scan"]
    if "modalities" not in arrays:
        return {"": scan}
    said = arrays["modalities"]
    _demand(said.ndim == 1 and said.dtype.kind == "U" and len(said) > 0, "modalities")
    first, *others = names = [str(name) for name in said]
    _demand(len(set(names)) == len(names), "modalities")
    found = {first: scan}
    for name in others:
        _demand(f"scan/{name}" in arrays, f"scan/{name}")
        found[name] = arrays[f"scan/{name}"]
        _demand(found[name].shape == scan.shape and found[name].dtype == np.uint8, f"scan/{name}")
    return found


def _demand(right: bool, name: str) -> None:
    if not right:
        raise ValueError(f"array '{name}' is not what it should be")
