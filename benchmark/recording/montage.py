"""Montage of a subject: modalities, anomaly map, and the outlines of lesion and detection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.recording.run_figures import figure_file
from benchmark.scoring.expected_images import ExpectedImage
from benchmark.scoring.map_store import ScoredSubject
from benchmark.scoring.scan_views import ScanView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


LESION, DETECTION = "#56B4E9", "#E69F00"
MODALITY_NAMES = {"flair": "FLAIR", "t1": "T1", "t1ce": "T1ce", "t2": "T2"}
# inches: width of a panel of a montage, and what stands around the panels
_PANEL, _LEFT, _RIGHT, _TOP, _BOTTOM = 2.1, 0.45, 0.6, 0.6, 0.4


@dataclass(frozen=True)
class _Shown:
    """What one montage draws: the scan's view, what was expected of it, the masks, the map and what it detects."""

    view: ScanView
    expected: ExpectedImage | None
    scored: ScoredSubject
    scores: NDArray[np.float32]
    detected: NDArray[np.bool_] | None
    threshold: float | None
    limit: float


def montage(
    path: Path,
    view: ScanView,
    scored: ScoredSubject,
    scores: NDArray[np.float32],
    threshold: float | None,
    title: str = "",
    expected: ExpectedImage | None = None,
) -> None:
    """Draw three slices of a subject: modalities, what was expected of one, anomaly map, and the outlines of lesion and detection.

    Radiological convention: anterior is up, the patient's right is on the left. The slices are those of :func:`shown_slices`.

    Parameters
    ----------
    path : Path
        PNG file to write.
    view : ScanView
        The scan as it is shown; working orientation LPS.
    scored : ScoredSubject
        Brain and lesion mask, spacing.
    scores : float32 (X, Y, Z)
        Anomaly map, post-processed.
    threshold : float or None
        Operating point: a voxel is detected when its score is greater. None: no outline.
    title : str
        First line of the figure.
    expected : ExpectedImage or None
        What the method compared the scan with, in the slices that are drawn; None: no column for it.

    Raises
    ------
    ValueError
        When the map's shape is not that of the brain mask.
    UserError
        When the file cannot be written.
    """
    if scores.shape != scored.brain.shape:
        raise ValueError(f"map of shape {scores.shape}, {scored.brain.shape} wanted")
    detected = _detected(scored, scores, threshold)
    limit = _limit(scores, scored.brain, threshold)
    shown = _Shown(view, expected, scored, scores, detected, threshold, limit)
    slices = _slices(scored, scores, detected)
    heads = _heads(view, expected)
    panels = _Panels(view.box, scored.spacing, len(slices), len(heads))
    size = (panels.size[0] + _LEFT + _RIGHT, panels.size[1] + _TOP + _BOTTOM)
    with figure_file(path, size) as figure:
        axis = figure.add_axes(
            (_LEFT / size[0], _BOTTOM / size[1], panels.size[0] / size[0], panels.size[1] / size[1])
        )
        axis.set_axis_off()
        drawn = [_draw_row(axis, panels, row, chosen, shown) for row, chosen in enumerate(slices)]
        _draw_heads(axis, panels, heads)
        axis.set(xlim=(0, panels.total[0]), ylim=(panels.total[1], 0))
        _color_bar(figure, drawn[-1], threshold, limit)
        figure.text(
            _LEFT / size[0], 1 - 0.12 / size[1], title or scored.subject, va="top", fontsize=11
        )
        _legend(figure, scored, detected is not None, threshold)


def _heads(view: ScanView, expected: ExpectedImage | None) -> list[str]:
    heads = [MODALITY_NAMES.get(name, name) for name in view.modalities]
    if expected is not None:
        heads.append(f"expected {MODALITY_NAMES.get(expected.modality, expected.modality)}")
    return [*heads, "anomaly map", "outlines"]


def _draw_row(axis: Axes, panels: _Panels, row: int, chosen: tuple[int, str], shown: _Shown) -> Any:
    """Draw one slice: each modality, the map, and the outlines over the first modality; return the map's image."""
    z, reason = chosen
    gray: dict[str, Any] = {"interpolation": "nearest", "aspect": "auto"}
    plane = (*shown.view.box, z)
    pictures = [image[..., z] for image in shown.view.images]
    if shown.expected is not None:
        pictures.append(shown.expected.levels[..., z])
    columns = len(pictures)
    for column, picture in [*enumerate(pictures), (columns + 1, pictures[0])]:
        axis.imshow(
            picture.T, extent=panels.extent(row, column), vmin=0, vmax=255, cmap="gray", **gray
        )
    drawn = axis.imshow(
        shown.scores[plane].T,
        extent=panels.extent(row, columns),
        vmin=0.0,
        vmax=shown.limit,
        cmap="inferno",
        **gray,
    )
    corner, spacing = panels.corner(row, columns + 1), shown.scored.spacing
    if shown.scored.lesion is not None:
        _outline(axis, shown.scored.lesion[plane], corner, spacing, LESION, 1.5)
    if shown.detected is not None:
        _outline(axis, shown.detected[plane], corner, spacing, DETECTION, 1.1)
    axis.text(
        -panels.gap,
        panels.corner(row, 0)[1] + panels.height / 2,
        f"slice {z}\n{reason}",
        rotation=90,
        ha="right",
        va="center",
        ma="center",
        fontsize=8,
    )
    return drawn


def _draw_heads(axis: Axes, panels: _Panels, heads: list[str]) -> None:
    for column, head in enumerate(heads):
        x, y = panels.corner(0, column)
        axis.text(x + panels.width / 2, y - panels.gap, head, ha="center", va="bottom", fontsize=10)
    for side, x, align in (("R", panels.gap, "left"), ("L", panels.width - panels.gap, "right")):
        axis.text(x, panels.gap, side, color="white", fontsize=8, ha=align, va="top")


class _Panels:
    """Where the panels of a montage lie, in mm; one axes for all draws in half the time of one each."""

    def __init__(
        self, box: tuple[slice, slice], spacing: tuple[float, float, float], rows: int, columns: int
    ) -> None:
        self.width = (box[0].stop - box[0].start) * spacing[0]
        self.height = (box[1].stop - box[1].start) * spacing[1]
        self.gap = 0.03 * self.width
        self.total = (
            columns * self.width + (columns - 1) * self.gap,
            rows * self.height + (rows - 1) * self.gap,
        )
        inch = _PANEL / self.width
        self.size = (self.total[0] * inch, self.total[1] * inch)

    def corner(self, row: int, column: int) -> tuple[float, float]:
        """Upper left corner."""
        return column * (self.width + self.gap), row * (self.height + self.gap)

    def extent(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Left, right, bottom, top. The first line, anterior, is on top; the patient's left is on the right."""
        x, y = self.corner(row, column)
        return x, x + self.width, y + self.height, y


def shown_slices(
    scored: ScoredSubject, scores: NDArray[np.float32], threshold: float | None
) -> list[int]:
    """Return the slices of a montage: that with most lesion, that with most false positives, and one far from both.

    Parameters
    ----------
    scored, scores, threshold
        As :func:`montage`.
    """
    return [z for z, _ in _slices(scored, scores, _detected(scored, scores, threshold))]


def _detected(
    scored: ScoredSubject, scores: NDArray[np.float32], threshold: float | None
) -> NDArray[np.bool_] | None:
    return (scores > threshold) & scored.brain if threshold is not None else None


def _slices(
    scored: ScoredSubject, scores: NDArray[np.float32], found: NDArray[np.bool_] | None
) -> list[tuple[int, str]]:
    """Choose three slices, each with the reason, from the top of the head down."""
    brain = scored.brain.sum(axis=(0, 1))
    lesion = scored.lesion if scored.lesion is not None else np.zeros_like(scored.brain)
    filled = np.flatnonzero(brain > 0.25 * brain.max())  # not the last rims of brain
    chosen: dict[int, str] = {}
    area = lesion.sum(axis=(0, 1))
    if area.any():
        chosen[int(area.argmax())] = "most lesion"
    false = (found & ~lesion).sum(axis=(0, 1)) if found is not None else np.zeros_like(area)
    for k in chosen:  # a false rim around the lesion shows in its own slice already
        false[k] = 0
    if false.any():
        chosen[int(false.argmax())] = "most false positives" if area.any() else "most detected"
    elif found is None and brain.any():
        inside = np.where(scored.brain, scores, 0).sum(axis=(0, 1))
        inside[list(chosen)] = -np.inf
        chosen[int(inside.argmax())] = "highest scores"
    for _ in range(min(3, len(filled)) - len(chosen)):
        ends = (filled[0] - 1, filled[-1] + 1)
        distance = np.min([np.abs(filled - k) for k in (*chosen, *ends)], axis=0)
        chosen[int(filled[distance.argmax()])] = "far from these" if chosen else "middle"
    if not chosen:
        chosen[scored.brain.shape[2] // 2] = "middle"
    return sorted(chosen.items(), reverse=True)


def _limit(scores: NDArray[np.float32], brain: NDArray[np.bool_], threshold: float | None) -> float:
    """Upper end of the map's colours: nearly the highest score, and the threshold well inside."""
    inside = scores[brain]
    high = float(np.quantile(inside, 0.999)) if inside.size else 0.0
    if threshold is not None and np.isfinite(threshold):
        high = max(high, 1.25 * threshold)
    return high if high > 0 else 1.0


def _outline(
    axis: Axes,
    mask: NDArray[np.bool_],
    corner: tuple[float, float],
    spacing: tuple[float, float, float],
    color: str,
    width: float,
) -> None:
    """Draw the edges of the mask's pixels, which are exact where a smoothed contour would not be."""
    from matplotlib.collections import LineCollection

    padded = np.pad(mask, 1)
    upright = np.argwhere(padded[1:, :] != padded[:-1, :]) - (0, 1)
    level = np.argwhere(padded[:, 1:] != padded[:, :-1]) - (1, 0)
    begins = np.concatenate([upright, level])
    along = np.repeat([[0, 1], [1, 0]], [len(upright), len(level)], axis=0)
    segments = np.stack([begins, begins + along], axis=1) * spacing[:2] + corner
    lines = LineCollection(list(segments), colors=color, linewidths=width, capstyle="projecting")
    axis.add_collection(lines, autolim=False)


def _color_bar(figure: Figure, shown: Any, threshold: float | None, limit: float) -> None:
    width, height = figure.get_figwidth(), figure.get_figheight()
    place = (
        1 - (_RIGHT - 0.1) / width,
        _BOTTOM / height,
        0.12 / width,
        1 - (_TOP + _BOTTOM) / height,
    )
    axis = figure.add_axes(place)
    bar = figure.colorbar(shown, cax=axis, extend="max", extendfrac=0.02)
    bar.formatter.set_powerlimits((-1, 3))  # type: ignore[attr-defined]  # small scores in full run off the figure
    bar.update_ticks()
    bar.ax.tick_params(labelsize=8)
    if threshold is not None and 0 <= threshold <= limit:
        bar.ax.axhline(threshold, color="black", linewidth=4)
        bar.ax.axhline(threshold, color="white", linewidth=2)


def _legend(
    figure: Figure, scored: ScoredSubject, detection: bool, threshold: float | None
) -> None:
    from matplotlib.lines import Line2D

    lines = []
    if scored.lesion is None:
        lines.append(Line2D([], [], color="none", label="no lesion mask"))
    else:
        name = "lesion mask" if scored.lesion.any() else "lesion mask (empty)"
        lines.append(Line2D([], [], color=LESION, linewidth=2.5, label=name))
    if detection:
        name = "detection" if threshold is None else f"detection: score > {threshold:.4g}"
        lines.append(Line2D([], [], color=DETECTION, linewidth=1.5, label=name))
    place = (1 - _RIGHT / figure.get_figwidth(), 0.0)
    figure.legend(
        handles=lines,
        loc="lower right",
        bbox_to_anchor=place,
        ncols=2,
        fontsize=9,
        frameon=False,
    )
