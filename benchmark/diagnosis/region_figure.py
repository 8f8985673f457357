"""The false positives drawn: by region, by height, and on the slices where there are most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.diagnosis.false_positives import Volumes
from benchmark.diagnosis.regions import REGIONS
from benchmark.recording.montage import LESION
from benchmark.recording.run_figures import figure_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

COLOURS = ("#D55E00", "#E69F00", "#F0E442", "#CC79A7", "#009E73", "#FFFFFF")
"""Of the regions, in their order; told apart by people who see no red or no green."""
_BRAIN = "#999999"
_COLUMNS = 4
_OVERLAY = 0.45


@dataclass(frozen=True)
class Slice:
    """One slice of a subject.

    Parameters
    ----------
    z : int
        Its number.
    image : uint8 (X', Y')
        Gray levels.
    regions : uint8 (X', Y')
        Region of each voxel that is coloured, 255 elsewhere.
    lesion : bool (X', Y')
        Lesion mask.
    """

    z: int
    image: NDArray[np.uint8]
    regions: NDArray[np.uint8]
    lesion: NDArray[np.bool_]


@dataclass(frozen=True)
class Shown:
    """What is shown of a subject.

    Parameters
    ----------
    subject : str
        Whose.
    amount : float
        False positives of the whole subject, ml.
    most : Slice
        The slice with most false positives; these are coloured.
    divided : Slice
        The slice with most ventricle; the whole brain is coloured, so that one sees whether regions lie right.
    spacing : (float, float)
        Voxel edges in the plane, mm.
    """

    subject: str
    amount: float
    most: Slice
    divided: Slice
    spacing: tuple[float, float]


def draw(
    path: Path,
    regions: Mapping[str, Volumes],
    heights: Sequence[Volumes],
    shown: Sequence[Shown],
    title: str,
) -> None:
    """Draw the figure, whole or not at all.

    Parameters
    ----------
    path : Path
        PNG file.
    regions : mapping of str to Volumes
        By region, over all subjects.
    heights : sequence of Volumes
        By height, the lowest first.
    shown : sequence of Shown
        Slices.
    title : str
        First line.

    Raises
    ------
    UserError
        When the file cannot be written.
    """
    rows = -(-2 * len(shown) // _COLUMNS)
    with figure_file(path, (10.4, 3.4 + 2.9 * rows), constrained=True) as figure:
        figure.suptitle(title, fontsize=11)
        top, below = _halves(figure, rows)
        bars, profile = top.subplots(1, 2)
        _bars(bars, regions)
        _profile(profile, heights)
        if rows:
            axes = np.atleast_1d(below.subplots(rows, _COLUMNS)).ravel()
            for axis in axes:
                axis.set_axis_off()
            for k, one in enumerate(shown):
                _slice(axes[2 * k], one.most, one.spacing, 1.0)
                axes[2 * k].set_title(
                    f"{one.subject}: {one.amount:.1f} ml,\nmost in slice {one.most.z}", fontsize=8
                )
                _slice(axes[2 * k + 1], one.divided, one.spacing, _OVERLAY)
                axes[2 * k + 1].set_title(f"regions in slice {one.divided.z}", fontsize=8)


def _halves(figure: Figure, rows: int) -> tuple[SubFigure, SubFigure]:
    parts = figure.subfigures(2, 1, height_ratios=[3.1, max(0.1, 2.9 * rows)], squeeze=False)
    return parts[0, 0], parts[1, 0]


def _shares(values: Sequence[float]) -> list[float]:
    whole = sum(values)
    return [100 * value / whole if whole else 0.0 for value in values]


def _bars(axis: Axes, regions: Mapping[str, Volumes]) -> None:
    names, places = list(regions), np.arange(len(regions))
    false = _shares([regions[name].false_positive_ml for name in names])
    brain = _shares([regions[name].healthy_ml for name in names])
    axis.barh(places - 0.2, false, 0.4, color=COLOURS, edgecolor="black", linewidth=0.6)
    axis.barh(places + 0.2, brain, 0.4, color=_BRAIN)
    axis.set_yticks(places, names)
    axis.invert_yaxis()
    axis.set_xlabel("% of all false positives (coloured), of the healthy brain (gray)", fontsize=8)
    axis.set_title("by region", fontsize=10)


def _profile(axis: Axes, heights: Sequence[Volumes]) -> None:
    places = np.arange(len(heights)) + 0.5
    axis.plot(_shares([h.false_positive_ml for h in heights]), places, "o-", color=COLOURS[0])
    axis.plot(_shares([h.healthy_ml for h in heights]), places, "o-", color=_BRAIN)
    axis.set_ylim(0, len(heights))
    axis.set_xlim(left=0)
    axis.set_ylabel("height, tenths of the brain", fontsize=8)
    axis.set_xlabel("% of all false positives (coloured), of the healthy brain (gray)", fontsize=8)
    axis.set_title("by height", fontsize=10)


def _slice(axis: Axes, one: Slice, spacing: tuple[float, float], strength: float) -> None:
    from matplotlib.colors import ListedColormap

    across, along = (n * edge for n, edge in zip(one.image.shape, spacing, strict=True))
    extent = (0.0, across, along, 0.0)
    axis.imshow(one.image.T, cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="nearest")
    axis.imshow(
        np.ma.masked_equal(one.regions.T, 255),
        cmap=ListedColormap(COLOURS),
        vmin=-0.5,
        vmax=len(REGIONS) - 0.5,
        extent=extent,
        interpolation="nearest",
        alpha=strength,
    )
    if one.lesion.any():
        x = (np.arange(one.lesion.shape[0]) + 0.5) * spacing[0]
        y = (np.arange(one.lesion.shape[1]) + 0.5) * spacing[1]
        axis.contour(x, y, one.lesion.T, levels=[0.5], colors=LESION, linewidths=1.2)
