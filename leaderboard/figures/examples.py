"""Three subjects chosen by rule, each method's map beside the scan."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.points import RANKING, RANKING_POINT
from andi_bench.names import counted
from andi_bench.records.previews import Preview, find_previews, read_preview
from leaderboard.figures.style import PAGE, grid_of_panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from leaderboard.figures.scene import Scene
    from leaderboard.tables.row import Row

METHODS = 6
"""Columns beside the scan: the best-ranked ones that have previews."""
FOUND, MISSED, FALSE = "#009E73", "#0072B2", "#D55E00"
_EDGE = "#56B4E9"
_WORDS = ("highest", "median", "lowest")


@dataclass(frozen=True)
class _Choice:
    rows: list[Row]
    subjects: list[tuple[str, str]]  # in words, name
    among: int


def best_median_worst(scene: Scene) -> Figure | None:
    """Draw the subjects of the highest, median and lowest mean Dice over the methods, in the slice with most lesion."""
    choice = _choice(scene)
    if choice is None:
        return None
    down, across = len(choice.subjects), 1 + len(choice.rows)
    size = (min(PAGE, 1.3 * across + 0.3), 0.45 + down * min(1.3, (PAGE - 0.3) / across) * 1.15)
    figure, axes = grid_of_panels(down, across, size, share=False)
    for place, (words, name) in enumerate(choice.subjects):
        previews = [_preview(row, name) for row in choice.rows]
        line = axes[place * across : (place + 1) * across]
        z = int(previews[0].lesion.sum(axis=(0, 1)).argmax())
        _scan(line[0], previews[0], z)
        line[0].set_ylabel(f"{words}\n{name[:18]}", fontsize=6)
        for axis, row, preview in zip(line[1:], choice.rows, previews, strict=True):
            _detected(axis, preview, row, z)
            axis.set_xlabel(f"Dice {row.values[RANKING][name]:.2f}", fontsize=6, labelpad=1)
            if place == 0:
                axis.set_title(scene.name(row.label), fontsize=6)
        if place == 0:
            line[0].set_title("scan, lesion", fontsize=6)
    return figure


def says(scene: Scene) -> str:
    """Return by which rule the subjects were chosen, and what the colours mean."""
    choice = _choice(scene)
    assert choice is not None
    return (
        f"Chosen by rule: of the {counted(choice.among, 'subject')} with a lesion of whom all these methods' records hold a preview, those of the highest, "
        f"median and lowest mean {RANKING_POINT.name} Dice over the methods; first seed; the slice with most lesion. Grey: the map, from its lowest "
        "to its highest score; green: lesion found, blue: missed, orange: falsely detected at the frozen threshold. "
        f"The {counted(len(choice.rows), 'best-ranked method')} with previews"
    )


def _choice(scene: Scene) -> _Choice | None:
    rows = [row for row in scene.rows if _previews(row) and row.values.get(RANKING)][:METHODS]
    if not rows:
        return None
    shared = set.intersection(*(set(_previews(row)) & set(row.values[RANKING]) for row in rows))
    means = {name: fmean(row.values[RANKING][name] for row in rows) for name in shared}
    if not means:
        return None
    order = sorted(means, key=lambda name: (-means[name], name))
    places = dict.fromkeys((0, (len(order) - 1) // 2, len(order) - 1))
    words = _WORDS if len(places) == len(_WORDS) else ("highest", "lowest")
    return _Choice(
        rows, [(word, order[k]) for word, k in zip(words, places, strict=False)], len(order)
    )


def _previews(row: Row) -> dict[str, Any]:
    folder = row.runs[0].folder
    return dict(find_previews(folder)) if folder is not None else {}


def _preview(row: Row, subject: str) -> Preview:
    return read_preview(_previews(row)[subject])


def _scan(axis: Axes, preview: Preview, z: int) -> None:
    picture = np.repeat(preview.scan[:, :, z, None] / 255, 3, axis=2)
    _show(axis, _with_edge(picture, preview.lesion[:, :, z], _EDGE), preview)


def _detected(axis: Axes, preview: Preview, row: Row, z: int) -> None:
    """Draw a map in grey, and what is found, missed and falsely detected in colour."""
    shown = preview.maps[row.chain]
    point = row.runs[0].operating_points[row.chain].get(RANKING_POINT.name)
    codes = shown.codes[:, :, z]
    gray = codes / max(1, len(shown.edges))
    picture = np.repeat(gray[..., None], 3, axis=2)
    if point is not None and point.threshold is not None:
        above = int(np.searchsorted(shown.edges, np.float32(point.threshold), side="left"))
        detected = (codes > above) & preview.brain[:, :, z]
        lesion = preview.lesion[:, :, z]
        for mask, color in (
            (detected & lesion, FOUND),
            (~detected & lesion, MISSED),
            (detected & ~lesion, FALSE),
        ):
            picture[mask] = 0.35 * picture[mask] + 0.65 * _rgb(color)
    _show(axis, picture, preview)


def _with_edge(picture: NDArray[Any], mask: NDArray[np.bool_], color: str) -> NDArray[Any]:
    """Colour the voxels of a mask that have a neighbour outside it."""
    padded = np.pad(mask, 1)
    inner = padded[2:, 1:-1] & padded[:-2, 1:-1] & padded[1:-1, 2:] & padded[1:-1, :-2]
    picture[mask & ~inner] = _rgb(color)
    return picture


def _show(axis: Axes, picture: NDArray[Any], preview: Preview) -> None:
    """Show a slice as radiologists do: anterior is up, the patient's right is on the left."""
    axis.imshow(
        picture.transpose(1, 0, 2),
        aspect=preview.spacing[1] / preview.spacing[0],
        interpolation="nearest",
    )
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)


def _rgb(color: str) -> NDArray[np.float64]:
    from matplotlib.colors import to_rgb

    return np.array(to_rgb(color))
