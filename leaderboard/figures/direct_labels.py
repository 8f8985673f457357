"""Names written beside what they name, clear of points, lines and each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

Point = tuple[float, float]

_DISTANCES = (5.0, 14.0, 26.0, 42.0, 60.0)
"""Points between a mark and its name; from the second distance on a line leads to it."""
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_ROOM = 2.0
"""Pixels that stay free around a name."""


def label_points(
    axis: Axes,
    points: Sequence[Point],
    names: Sequence[str],
    colors: Sequence[str],
    lines: Sequence[tuple[Point, Point]] = (),
) -> None:
    """Write each point's name beside it where it covers no point, no line and no other name.

    Of some forty places the one that covers least and is near is taken, point by point in the order given. Limits and scales of the axes must stand before.

    Parameters
    ----------
    axis : Axes
        With the points drawn.
    points : sequence of (float, float)
        In data coordinates.
    names, colors : sequence of str
        One a point.
    lines : sequence of (point, point)
        Upright or level ones that are drawn, from where to where.
    """
    figure = axis.figure
    figure.draw_without_rendering()  # type: ignore[union-attr]  # the layout is settled here
    scale = figure.dpi / 72
    frame = axis.get_window_extent()
    taken = [_around(axis, point, point, 3 * scale) for point in points]
    taken += [_around(axis, begin, end, 2 * scale) for begin, end in lines]
    for point, name, color in zip(points, names, colors, strict=True):
        written = axis.annotate(name, point, fontsize=6, color=color, annotation_clip=False)
        written.set_in_layout(False)
        size = written.get_window_extent()
        mark = axis.transData.transform(point)
        costs = []
        for distance in _DISTANCES:
            for side in _SIDES:
                box = _box(mark, (size.width, size.height), side, distance * scale)
                covered = sum(_shared(box, other) for other in taken) + _outside(box, frame)
                # far is bad, but better than covered
                costs.append((covered + 0.15 * size.height * distance, side, distance, box))
        _, side, distance, box = min(costs, key=lambda one: one[0])
        written.set_position((side[0] * distance, side[1] * distance))
        written.set_anncoords("offset points")
        written.set(
            ha=("center", "left", "right")[side[0]], va=("center", "bottom", "top")[side[1]]
        )
        if distance > _DISTANCES[0]:
            axis.annotate(
                "",
                point,
                written.get_position(),
                textcoords="offset points",
                arrowprops=_leader(color),
            ).set_in_layout(False)
        taken.append(box)


def _box(mark: Any, size: tuple[float, float], side: tuple[int, int], away: float) -> Bbox:
    """Return where a name lies, pixels, a little larger than it is."""
    from matplotlib.transforms import Bbox

    begins = [
        place + step * away - extent * (0.5, 0.0, 1.0)[step]
        for place, step, extent in zip(mark, side, size, strict=True)
    ]
    return Bbox.from_bounds(begins[0], begins[1], size[0], size[1]).padded(_ROOM)


def _leader(color: str) -> dict[str, object]:
    return {"arrowstyle": "-", "color": color, "lw": 0.5, "shrinkA": 0, "shrinkB": 3}


def _around(axis: Axes, begin: Point, end: Point, room: float) -> Bbox:
    from matplotlib.transforms import Bbox

    (x0, y0), (x1, y1) = axis.transData.transform([begin, end])
    return Bbox.from_extents(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)).padded(room)


def _shared(first: Bbox, second: Bbox) -> float:
    from matplotlib.transforms import Bbox

    both = Bbox.intersection(first, second)
    return 0.0 if both is None else float(both.width * both.height)


def _outside(box: Bbox, frame: Bbox) -> float:
    """Area of a box beyond the axes: it counts double, for what is beyond may be cut off."""
    return 2 * (float(box.width * box.height) - _shared(box, frame))
