"""How figures look: one colour and mark a method, distinct with every kind of colour vision, at a column's width."""

from __future__ import annotations

import io
import textwrap
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from andi_bench.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe and Ito's palette, the darker ones first; yellow is left out: it vanishes on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
REFERENCE = "#7F7F7F"
"""Grey: of references, which compete with nobody."""
MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "d", "h", "p")
LINES = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)), (0, (9, 2.5)))

_PUBLISHED = (
    *("andi", "disyre", "itermask", "pii", "dae", "pddpm", "andi-v2"),
    *("ae", "vae", "thresholding", "voxel-statistics", "anoddpm", "mddpm", "autoddpm"),
    *("thor", "fpi"),
)
"""Methods of the published leaderboards. The place gives the look, so names are appended, never moved: figures that are
printed already would be misread. A method that does not stand here has a look of its own too."""
_REFERENCES = ("random", "rim-distance", "t2-intensity")
_KEPT = 21
"""Places that :data:`_PUBLISHED` may grow into; those of all other methods follow, up to the last that differs in colour or mark."""
COLUMN, PAGE = 3.5, 7.0
"""Inches: widths of a column and of a page."""

LONGEST = 24
_LETTERS = 22
"""Of a caption on an inch."""
_LINE = 0.105
"""Height of a line of a caption, inches."""
_DPI = 200
_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "axes.grid": True,
    "grid.linewidth": 0.4,
    "grid.color": "#DDDDDD",
    "axes.axisbelow": True,
    "svg.hashsalt": "andi-bench",
    "svg.fonttype": "path",
    "text.parse_math": False,
}


class Looks:
    """The colour, mark and line of every method: its own, whatever else is drawn, so that figures can be read side by side.

    A published method has a fixed look. Any other one has what its name picks of the rest; where that is taken by another
    of these, the next that is free. No two have the same colour and mark, and the first of them no two the same colour and line.

    Parameters
    ----------
    labels : iterable of str
        All rows, as tables call them.
    names : mapping of str to str
        What decides about a label's look, the registered name of its method; of a label that is not there, the label
        itself. Labels of one name look alike.
    references : collection of str
        Names of references beside our own, which are grey.
    """

    def __init__(
        self,
        labels: Iterable[str],
        names: Mapping[str, str] | None = None,
        references: Collection[str] = (),
    ) -> None:
        self._names = {label: (names or {}).get(label, label) for label in labels}
        others = sorted({*references} - {*_REFERENCES})
        self._grey = {name: place for place, name in enumerate((*_REFERENCES, *others))}
        self._place = {name: place for place, name in enumerate(_PUBLISHED)}
        for name in sorted({*self._names.values()} - {*self._place} - {*self._grey}):
            self._place[name] = _free_place(name, self._place.values())

    def color(self, label: str) -> str:
        """Return the method's colour; grey for a reference."""
        name = self._names[label]
        return REFERENCE if name in self._grey else PALETTE[self._place[name] % len(PALETTE)]

    def mark(self, label: str) -> str:
        """Return the method's mark; methods of one colour have different ones."""
        name = self._names[label]
        place = self._grey[name] if name in self._grey else self._place[name]
        return MARKS[place % len(MARKS)]

    def line(self, label: str) -> Any:
        """Return the method's line style, as matplotlib takes it; methods of one colour have different ones."""
        name = self._names[label]
        if name in self._grey:
            return LINES[self._grey[name] % len(LINES)]
        return LINES[self._place[name] // len(PALETTE) % len(LINES)]


def _free_place(name: str, taken: Collection[int]) -> int:
    """Return the place that a name picks among those of methods without a fixed one, or the next that is free.

    Lines are fewer than marks: places that repeat a colour with its line are picked last.
    """
    lines, marks = len(PALETTE) * len(LINES), len(PALETTE) * len(MARKS)
    picked = zlib.crc32(name.encode())  # the same in every process, unlike hash()
    for begin, end in ((_KEPT, lines), (lines, marks)):
        size = end - begin
        for step in range(size):
            place = begin + (picked + step) % size
            if place not in taken:
                return place
    return _KEPT + picked % (marks - _KEPT)


def short(label: str) -> str:
    """Return a label that fits beside an axis."""
    text = "".join(mark if mark.isprintable() else " " for mark in label)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


@contextmanager
def styled() -> Iterator[None]:
    """Draw in our style, whatever the user's settings are."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def panels(
    count: int, height: float, width: float | None = None, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels side by side: a column wide for one, a page for several."""
    from matplotlib.figure import Figure

    from leaderboard.figures.layout import SteadyLayout

    size = (width or (COLUMN if count == 1 else PAGE), height)
    figure = Figure(figsize=size, layout=SteadyLayout())
    axes = figure.subplots(1, count, squeeze=False, **options)
    return figure, list(axes[0])


def grid_of_panels(
    down: int, across: int, size: tuple[float, float], *, share: bool = True
) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels in rows, which share both axes unless said otherwise, row by row."""
    from matplotlib.figure import Figure

    from leaderboard.figures.layout import SteadyLayout

    figure = Figure(figsize=size, layout=SteadyLayout())
    axes = figure.subplots(down, across, squeeze=False, sharex=share, sharey=share)
    return figure, list(axes.flat)


def plain_numbers(axis: Axis) -> None:
    """Write the marks of a logarithmic axis out: few of them, whatever it spans."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low)
    parts = (1,) if decades > 2.2 else (1, 3) if decades > 1.2 else (1, 2, 5)
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    marks = [float(f"{part}e{power}") for power in range(first, last + 1) for part in parts]
    inside = [mark for mark in marks if low <= mark <= high]
    few = [float(f"{mark:.1g}") for mark in np.geomspace(low, high, 4)[1:3]]
    axis.set_major_locator(FixedLocator(inside if len(inside) > 1 else few))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def captioned(figure: Figure, title: str, caption: str) -> None:
    """Put a title above a figure and a caption below it, broken to its width; the figure grows, its panels stay as they are."""
    width, height = figure.get_size_inches()
    figure.draw_without_rendering()
    heights = [legend.get_window_extent().height / figure.dpi for legend in figure.legends]
    room = max(heights, default=-0.08) + 0.08
    lines = textwrap.wrap(caption, round(_LETTERS * width), break_on_hyphens=False)
    below, above = _LINE * len(lines) + 0.08, 0.22
    total = height + below + above
    figure.set_size_inches(width, total)
    bottom = below / total
    frame = (0.0, bottom, 1.0, height / total)
    # a legend with a place of its own has no margin in the layout any more
    panels_in = (0.0, bottom + room / total, 1.0, (height - room) / total)
    engine: Any = figure.get_layout_engine()
    engine.set(rect=panels_in)
    for legend in figure.legends:
        legend.set_bbox_to_anchor(frame, transform=figure.transFigure)
    look: dict[str, Any] = {"x": 0.04 / width, "ha": "left", "va": "top"}
    figure.text(y=1 - 0.04 / total, s=title, fontsize=8, fontweight="bold", **look)
    figure.text(y=bottom - 0.02 / total, s="\n".join(lines), fontsize=6, color="#444444", **look)


def legend_below(figure: Figure, axes: Sequence[Axes], columns: int) -> None:
    """Put one legend under all panels."""
    handles: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside lower center",
            ncols=columns,
            handlelength=2.2,
            columnspacing=1.2,
        )


def save(figure: Figure, stem: Path, kinds: Sequence[str] = ("svg", "png")) -> list[Path]:
    """Write a figure in some formats, each file whole or not at all; no dates, no versions.

    Raises
    ------
    UserError
        When a file cannot be written.
    """
    written = []
    for kind, metadata in (
        ("svg", {"Date": None, "Creator": "andi-bench"}),
        ("png", {"Software": None}),
    ):
        if kind not in kinds:
            continue
        path = stem.with_name(f"{stem.name}.{kind}")
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=_DPI, metadata=metadata)
        write_atomically(path, buffer.getvalue())
        written.append(path)
    return written
