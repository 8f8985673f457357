"""Figures of a run: curves of precision, Dice and loss; and how a figure is written. The same data give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from andi_bench.files import write_atomically
from andi_bench.records.loss_curve import read_losses

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benchmark.evaluation.curves import Sweeps

# Okabe and Ito's palette: told apart with every kind of colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINE_STYLES = ("-", "--", "-.", ":")
DPI = 100


def pr_curve(
    path: Path,
    curves: Mapping[str, tuple[Sequence[float], Sequence[float], float | None]],
    prevalence: float | None,
    title: str = "",
) -> None:
    """Draw precision against recall, step-wise as average precision sums it.

    Parameters
    ----------
    path : Path
        PNG file to write.
    curves : mapping of str to (recall, precision, average precision)
        By label; recall and precision of equal length, in any order of thresholds, in [0, 1].
    prevalence : float or None
        Share of lesion voxels: the precision of a map of chance, drawn as a line.
    title : str
        Above the axes.

    Raises
    ------
    UserError
        When the file cannot be written.
    """
    with figure_file(path, (6.0, 5.2), constrained=True) as figure:
        axis = figure.subplots()
        for k, (label, (recall, precision, ap)) in enumerate(curves.items()):
            x, y = _thinned(np.asarray(recall, float), np.asarray(precision, float))
            name = label if ap is None else f"{label} (AP {ap:.3f})"
            axis.step(
                x,
                y,
                where="pre",
                label=name,
                color=PALETTE[k % len(PALETTE)],
                linestyle=LINE_STYLES[k % len(LINE_STYLES)],
                linewidth=1.8,
            )
        if prevalence is not None:
            name = f"chance (prevalence {prevalence:.4f})"
            axis.axhline(prevalence, color="0.5", linewidth=1, linestyle=(0, (1, 3)), label=name)
        axis.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
        axis.grid(color="0.9", linewidth=0.8)
        axis.set_axisbelow(True)
        if title:
            axis.set_title(title, fontsize=11, loc="left")
        if axis.get_legend_handles_labels()[1]:
            # below the axes: with many methods it would cover the curves
            figure.legend(fontsize=9, loc="outside lower center", ncols=2, frameon=False)


def dice_curves(path: Path, sweeps: Mapping[str, Sweeps], title: str = "") -> None:
    """Draw mean Dice against the threshold, on validation and test split, with the operating points.

    Scores have units of their own, so a threshold stands where it stands among the test subjects' brain voxels: at the
    share of them that lies above it, on a logarithmic axis.

    Parameters
    ----------
    path : Path
        PNG file to write.
    sweeps : mapping of chain to Sweeps
        One panel each.
    title : str
        Above the axes.

    Raises
    ------
    UserError
        When the file cannot be written.
    """
    with figure_file(path, (5.0 * max(1, len(sweeps)), 4.4), constrained=True) as figure:
        axes = figure.subplots(1, max(1, len(sweeps)), squeeze=False, sharey=True)[0]
        highest = 0.0
        for axis, (chain, sweep) in zip(axes, sweeps.items(), strict=False):
            highest = max(highest, _dice_panel(axis, chain, sweep))
        axes[0].set_ylim(0, 1.4 * highest or 1)  # the upper part is the labels'
        axes[0].set_ylabel("mean Dice over subjects")
        handles, labels = axes[0].get_legend_handles_labels()
        if labels:
            figure.legend(
                handles, labels, fontsize=9, loc="outside lower center", ncols=2, frameon=False
            )
        if title:
            figure.suptitle(title, fontsize=11, x=0.01, ha="left")


def _dice_panel(axis: Axes, chain: str, sweep: Sweeps) -> float:
    """Draw the curves of one chain, and where its operating points stand; return the highest Dice."""
    looks = {"val": ("--", PALETTE[1], "validation"), "test": ("-", PALETTE[0], "test")}
    highest = 0.0
    least = min(float(share[share > 0].min(initial=1.0)) for share, _ in sweep.splits.values())
    for split, (share, dice) in sweep.splits.items():
        style, color, name = looks[split]
        drawn = share > 0
        axis.plot(100 * share[drawn], dice[drawn], style, color=color, linewidth=1.8, label=name)
        highest = max(highest, float(dice.max()))
    axis.set_xscale("log")
    axis.set_xlim(100, 80 * max(least, 1e-6))  # thresholds rise from left to right
    # in the order of their places, each on a line of its own
    marked = sorted(sweep.points.items(), key=lambda pair: -pair[1])
    for k, (name, point) in enumerate(marked):
        place = 100 * max(point, least)
        axis.axvline(place, color="0.45", linewidth=1, linestyle=":")
        axis.annotate(
            name,
            (place, 0.99 - 0.055 * k),
            xycoords=("data", "axes fraction"),
            fontsize=8,
            xytext=(3, 0),
            textcoords="offset points",
            va="top",
            ha="left",
            color="0.2",
        )
    axis.set_xlabel("brain voxels of the test split above the threshold, %")
    axis.set_title(chain, fontsize=10, loc="left")
    axis.grid(color="0.9", linewidth=0.8)
    axis.set_axisbelow(True)
    return highest


def loss_curve(path: Path, loss_csv: Path, title: str = "") -> None:
    """Draw a training's loss against its step, each value and a running median.

    Parameters
    ----------
    path : Path
        PNG file to write.
    loss_csv : Path
        CSV with the columns ``step`` and ``loss``.
    title : str
        Above the axes.

    Raises
    ------
    UserError
        When the CSV cannot be read or lacks a column, or the figure cannot be written.
    """
    steps, losses = read_losses(loss_csv)
    with figure_file(path, (6.4, 4.0), constrained=True) as figure:
        axis = figure.subplots()
        marker = "." if len(steps) < 20 else ""
        axis.plot(steps, losses, color=PALETTE[5], linewidth=0.9, marker=marker, label="loss")
        width = len(losses) // 20 * 2 + 1
        if width >= 3:
            smooth = _running_median(losses, width)
            axis.plot(
                steps, smooth, color=PALETTE[0], linewidth=2, label=f"median of {width} values"
            )
            axis.legend(fontsize=9)
        if len(losses) and losses.min() > 0 and losses.max() > 10 * losses.min():
            axis.set_yscale("log")
        axis.set(xlabel="optimiser step", ylabel="training loss")
        axis.grid(color="0.9", linewidth=0.8, which="both")
        axis.set_axisbelow(True)
        if title:
            axis.set_title(title, fontsize=11, loc="left")


@contextmanager
def figure_file(
    path: Path, size: tuple[float, float], *, constrained: bool = False
) -> Iterator[Figure]:
    """Make a figure that belongs to no window system, and write it whole or not at all."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from leaderboard.figures.layout import SteadyLayout

    # a person's own matplotlibrc must not change a record's figures
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure = Figure(figsize=size, dpi=DPI, layout=SteadyLayout() if constrained else None)
        FigureCanvasAgg(figure)
        yield figure
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        write_atomically(path, buffer.getvalue())


def _thinned(
    recall: NDArray[np.float64], precision: NDArray[np.float64], most: int = 2000
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sort points by recall and keep as many as a figure can show."""
    order = np.argsort(recall, kind="stable")
    if len(order) > most:
        grid = np.linspace(recall[order[0]], recall[order[-1]], most)
        places = np.searchsorted(recall[order], grid, side="left")
        order = order[np.unique(np.clip(places, 0, len(order) - 1))]
    return recall[order], precision[order]


def _running_median(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    half = width // 2
    padded = np.pad(values, half, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)
