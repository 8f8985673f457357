"""How figures look: one colour and mark a method, distinct with every kind of colour vision, at a column's width."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from andi_bench.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, the darker ones first; yellow is left out: it vanishes on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "*", "p")
LINES = ("-", "--", "-.", ":")
COLUMN, PAGE = 3.5, 7.0
"""Inches: widths of a column and of a page."""

LONGEST = 24
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
    """The colour, mark and line of every method, the same in all figures.

    Parameters
    ----------
    labels : iterable of str
        All methods; their order decides.
    """

    def __init__(self, labels: Iterable[str]) -> None:
        self._place = {label: place for place, label in enumerate(dict.fromkeys(labels))}

    def color(self, label: str) -> str:
        """Return the method's colour."""
        return PALETTE[self._place[label] % len(PALETTE)]

    def mark(self, label: str) -> str:
        """Return the method's mark; methods of one colour have different ones."""
        return MARKS[self._place[label] % len(MARKS)]

    def line(self, label: str) -> str:
        """Return the method's line style; methods of one colour have different ones."""
        return LINES[self._place[label] // len(PALETTE) % len(LINES)]


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

    size = (width or (COLUMN if count == 1 else PAGE), height)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, count, squeeze=False, **options)
    return figure, list(axes[0])


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
