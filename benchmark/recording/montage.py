"""Montage of a subject: modalities, anomaly map, and the outlines of lesion and detection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.recording.run_figures import figure_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from datasets.volume import Volume

LESION, DETECTION = "#56B4E9", "#E69F00"
MODALITY_NAMES = {"flair": "FLAIR", "t1": "T1", "t1ce": "T1ce", "t2": "T2"}
_MARGIN = 3
# inches: width of a panel of a montage, and what stands around the panels
_PANEL, _LEFT, _RIGHT, _TOP, _BOTTOM = 2.1, 0.45, 0.6, 0.6, 0.4


def montage(
    path: Path,
    volume: Volume,
    scores: NDArray[np.float32],
    threshold: float | None,
    title: str = "",
    detection: NDArray[np.bool_] | None = None,
) -> None:
    """Draw three slices of a subject: modalities, anomaly map, and the outlines of lesion and detection.

    Radiological convention: anterior is up, the patient's right is on the left. The slices are the one with most
    lesion, the one with most false positives, and one far from both.

    Parameters
    ----------
    path : Path
        PNG file to write.
    volume : Volume
        The scan; working orientation LPS.
    scores : float32 (X, Y, Z)
        Anomaly map.
    threshold : float or None
        Operating point: a voxel is detected when its score is greater. None: no outline.
    title : str
        First line of the figure.
    detection : bool (X, Y, Z), optional
        The detected voxels, where they are not simply those above the threshold.

    Raises
    ------
    ValueError
        When the map's shape is not the volume's.
    UserError
        When the file cannot be written.
    """
    if scores.shape != volume.shape:
        raise ValueError(f"map of shape {scores.shape}, {volume.shape} wanted")
    found = detection
    if found is None and threshold is not None:
        found = (scores > threshold) & volume.brain
    slices = _slices(volume, scores, found)
    box = _box(volume.brain)
    heads = [MODALITY_NAMES.get(name, name) for name in volume.modalities]
    heads += ["anomaly map", "outlines"]
    panels = _Panels(box, volume.spacing, len(slices), len(heads))
    windows = [_window(channel, volume.brain) for channel in volume.image]
    limit = _limit(scores, volume.brain, threshold)
    size = (panels.size[0] + _LEFT + _RIGHT, panels.size[1] + _TOP + _BOTTOM)
    with figure_file(path, size) as figure:
        axis = figure.add_axes(
            (_LEFT / size[0], _BOTTOM / size[1], panels.size[0] / size[0], panels.size[1] / size[1])
        )
        axis.set_axis_off()
        gray: dict[str, Any] = {"cmap": "gray", "interpolation": "nearest", "aspect": "auto"}
        for row, (z, reason) in enumerate(slices):
            plane = (*box, z)
            pictures = [
                (channel[plane], *window)
                for channel, window in zip(volume.image, windows, strict=True)
            ]
            for column, (picture, low, high) in [
                *enumerate(pictures),
                (len(heads) - 1, pictures[0]),
            ]:
                axis.imshow(
                    picture.T, extent=panels.extent(row, column), vmin=low, vmax=high, **gray
                )
            shown = axis.imshow(
                scores[plane].T, extent=panels.extent(row, len(heads) - 2), vmin=0.0, vmax=limit,
                **{**gray, "cmap": "inferno"},
            )  # fmt: skip
            corner = panels.corner(row, len(heads) - 1)
            if volume.lesion is not None:
                _outline(axis, volume.lesion[plane], corner, volume.spacing, LESION, 1.5)
            if found is not None:
                _outline(axis, found[plane], corner, volume.spacing, DETECTION, 1.1)
            axis.text(
                -panels.gap, panels.corner(row, 0)[1] + panels.height / 2, f"slice {z}\n{reason}",
                rotation=90, ha="right", va="center", ma="center", fontsize=8,
            )  # fmt: skip
        for column, head in enumerate(heads):
            x, y = panels.corner(0, column)
            axis.text(
                x + panels.width / 2, y - panels.gap, head, ha="center", va="bottom", fontsize=10
            )
        for side, x, align in (
            ("R", panels.gap, "left"),
            ("L", panels.width - panels.gap, "right"),
        ):
            axis.text(x, panels.gap, side, color="white", fontsize=8, ha=align, va="top")
        axis.set(xlim=(0, panels.total[0]), ylim=(panels.total[1], 0))
        _color_bar(figure, shown, threshold, limit)
        figure.text(
            _LEFT / size[0], 1 - 0.12 / size[1], title or volume.subject, va="top", fontsize=11
        )
        _legend(figure, volume, found is not None, threshold)


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


def _slices(
    volume: Volume, scores: NDArray[np.float32], found: NDArray[np.bool_] | None
) -> list[tuple[int, str]]:
    """Choose three slices, each with the reason, from the top of the head down."""
    brain = volume.brain.sum(axis=(0, 1))
    lesion = volume.lesion if volume.lesion is not None else np.zeros_like(volume.brain)
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
        inside = np.where(volume.brain, scores, 0).sum(axis=(0, 1))
        inside[list(chosen)] = -np.inf
        chosen[int(inside.argmax())] = "highest scores"
    for _ in range(min(3, len(filled)) - len(chosen)):
        distance = np.min([np.abs(filled - k) for k in (*chosen, filled[0] - 1, filled[-1] + 1)], axis=0)  # fmt: skip
        chosen[int(filled[distance.argmax()])] = "far from these" if chosen else "middle"
    if not chosen:
        chosen[volume.shape[2] // 2] = "middle"
    return sorted(chosen.items(), reverse=True)


def _box(brain: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Bounding box of the brain in the axial plane, with a margin; the whole plane without brain."""
    out = []
    for axis in (0, 1):
        hit = np.flatnonzero(brain.any(axis=(1 - axis, 2)))
        size = brain.shape[axis]
        low, high = (hit[0], hit[-1] + 1) if len(hit) else (0, size)
        out.append(slice(max(0, int(low) - _MARGIN), min(size, int(high) + _MARGIN)))
    return out[0], out[1]


def _window(channel: NDArray[np.float32], brain: NDArray[np.bool_]) -> tuple[float, float]:
    inside = channel[brain]
    high = float(np.quantile(inside, 0.995)) if inside.size else 1.0
    return 0.0, high if high > 0 else 1.0


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


def _legend(figure: Figure, volume: Volume, detection: bool, threshold: float | None) -> None:
    from matplotlib.lines import Line2D

    lines = []
    if volume.lesion is None:
        lines.append(Line2D([], [], color="none", label="no lesion mask"))
    else:
        name = "lesion mask" if volume.lesion.any() else "lesion mask (empty)"
        lines.append(Line2D([], [], color=LESION, linewidth=2.5, label=name))
    if detection:
        name = "detection" if threshold is None else f"detection: score > {threshold:.4g}"
        lines.append(Line2D([], [], color=DETECTION, linewidth=1.5, label=name))
    place = (1 - _RIGHT / figure.get_figwidth(), 0.0)
    figure.legend(handles=lines, loc="lower right", bbox_to_anchor=place, ncols=2, fontsize=9, frameon=False)  # fmt: skip
