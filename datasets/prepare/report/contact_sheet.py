"""All registered subjects on a page, with the template's outlines over them: a failed registration is seen at a glance."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    io_orientation,
    ornt_transform,
)
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.executor import Failure
from andi_bench.files import write_atomically
from andi_bench.geometry import bounding_box
from datasets.adapters.base import Progress
from datasets.prepare.register.registration_template import RegistrationTemplate
from datasets.prepare.sidecar import Preparation, read_preparation
from datasets.scans.nifti import read_nifti

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS, ROWS = 3, 6
"""Subjects on one page."""
_MARGIN = 8  # voxels around the template's brain that are shown
_GAP = 2
_WIDE, _HEAD = 5.2, 0.62  # inches: a subject's width, the page's head
_RED = "#ff6b6b"


@dataclass(frozen=True)
class _Layout:
    """Which three planes are shown, and the template's outlines on them."""

    turn: NDArray[np.float64]
    box: tuple[slice, ...]
    middle: tuple[int, int, int]
    brain: NDArray[np.float32]
    tissue: NDArray[np.float32]
    level: float

    def montage(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return the axial, coronal and sagittal plane of a volume on the template's grid side by side."""
        return _montage(apply_orientation(values, self.turn)[self.box], self.middle)


def _layout(template: RegistrationTemplate) -> _Layout:
    from scipy import ndimage

    turn = ornt_transform(io_orientation(template.affine), axcodes2ornt("LPS"))
    brain = apply_orientation(template.brain, turn)
    box = tuple(
        slice(max(0, part.start - _MARGIN), min(n, part.stop + _MARGIN))
        for part, n in zip(bounding_box(brain), brain.shape, strict=True)
    )
    brain = brain[box]
    values = apply_orientation(template.values, turn)[box]
    # Beside the middle, where the sagittal plane would show the fissure and little else.
    x, y, z = brain.shape
    middle = (x // 2 + max(1, x // 20), y // 2, z // 2)
    smooth = ndimage.gaussian_filter(values, 1.0)
    level = float(np.quantile(smooth[brain], 0.6))
    return _Layout(turn, box, middle, _montage(brain, middle), _montage(smooth, middle), level)


def _montage(values: NDArray[Any], middle: tuple[int, int, int]) -> NDArray[np.float32]:
    x, y, z = middle
    # axes run to left, posterior, superior: columns to the right, rows down
    planes = [values[:, :, z].T, values[:, y, ::-1].T, values[x, :, ::-1].T]
    height = max(plane.shape[0] for plane in planes)
    parts = []
    for plane in planes:
        above = (height - plane.shape[0]) // 2
        below = height - plane.shape[0] - above
        parts.append(np.pad(plane.astype(np.float32), ((above, below), (_GAP, _GAP))))
    return np.concatenate(parts, axis=1)


def write_contact_sheets(
    folder: Path,
    subjects: Sequence[str],
    failures: Sequence[Failure],
    template: RegistrationTemplate,
    pages: Path,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw of every subject the image that was registered (its T1, as a rule), and a line for every failed one.

    Parameters
    ----------
    folder : Path
        Holds the registered subjects' folders.
    subjects : sequence of str
        Whom to draw, in this order; one whose registered file is damaged is named as failed.
    failures : sequence of Failure
        Whom to name as failed.
    template : RegistrationTemplate
        Whose brain (yellow) and brighter tissue (blue) are outlined.
    pages : Path
        Folder for ``contact-sheet-<n>.png``; pages of an earlier time are replaced.
    progress : callable or None
        Called as it comes along.

    Returns
    -------
    list of Path
        The pages.

    Raises
    ------
    UserError
        When a page cannot be written.
    """
    layout = _layout(template)
    cells: list[str | Failure] = [*failures, *subjects]
    per_page = COLUMNS * ROWS
    count = -(-len(cells) // per_page)
    out = []
    for number in range(count):
        some = cells[number * per_page : (number + 1) * per_page]
        path = pages / f"contact-sheet-{number + 1:02d}.png"
        _draw_page(folder, some, layout, path, (number + 1, count), template.name)
        out.append(path)
        if progress is not None:
            progress("contact sheet", number + 1, count)
    for stale in sorted(pages.glob("contact-sheet-*.png")):
        if stale not in out:
            stale.unlink()
    return out


def _draw_page(
    folder: Path,
    cells: Sequence[str | Failure],
    layout: _Layout,
    path: Path,
    page: tuple[int, int],
    template: str,
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = layout.brain.shape
    columns = min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    inch = _WIDE / width
    high = height * inch + 0.28
    total = rows * high + _HEAD
    wide = _WIDE * columns + 0.2
    figure = Figure(figsize=(wide, total), facecolor="black")
    FigureCanvasAgg(figure)
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        left = (0.1 + _WIDE * column) / wide
        bottom = 1 - (_HEAD + (row + 1) * high - 0.04) / total
        axes = figure.add_axes((left, bottom, 5.1 / wide, height * inch / total))
        axes.set_facecolor("black")
        axes.set_axis_off()
        _draw_cell(axes, folder, cell, layout)
    said = f"Registered scans, page {page[0]} of {page[1]}. Outlines: "
    said += (
        "brain (yellow) and brighter tissue (blue) of the template"
        if columns > 1
        else "the template's"
    )
    below = f"{template}. The patient's left is on the right."
    figure.text(0.1 / wide, 1 - 0.3 / total, said, color="white", fontsize=10, va="center")
    figure.text(0.1 / wide, 1 - 0.48 / total, below, color="#aaaaaa", fontsize=8, va="center")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, facecolor="black", metadata={"Software": None})
    write_atomically(path, buffer.getvalue())


def _draw_cell(axes: Axes, folder: Path, cell: str | Failure, layout: _Layout) -> None:
    """Draw one registered subject, or say why one failed."""
    if isinstance(cell, str):
        try:
            image, preparation = _registered(folder / cell, layout)
        except UserError as error:
            cell = Failure(cell, str(error))
    if isinstance(cell, Failure):
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_title(f"{cell.subject}: FAILED", color=_RED, fontsize=10, loc="left", pad=3)
        axes.text(0.02, 0.9, _wrapped(cell.reason), color=_RED, fontsize=8, va="top")
        return
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="bilinear", aspect="equal")
    axes.contour(layout.tissue, [layout.level], colors="#4aa8ff", linewidths=0.45, alpha=0.8)
    axes.contour(layout.brain, [0.5], colors="#ffd23f", linewidths=0.9)
    record = preparation.registration
    dice = record.dice_after if record is not None else float("nan")
    warned = record is not None and record.warning is not None
    title = f"{cell}   Dice {dice:.3f}{'   LOOK AT THIS ONE' if warned else ''}"
    axes.set_title(title, color=_RED if warned else "white", fontsize=10, loc="left", pad=3)


def _registered(folder: Path, layout: _Layout) -> tuple[NDArray[np.float32], Preparation]:
    preparation = read_preparation(folder)
    if preparation is None or preparation.registration is None:
        raise UserError(f"{folder} is not from a registration: prepare it again")
    moving = preparation.files[preparation.registration.moving]
    scan = read_nifti(folder / moving.file)
    image = layout.montage(scan.values)
    positive = image[image > 0]
    return image / (np.quantile(positive, 0.99) if positive.size else 1.0), preparation


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 70, break_long_words=True)[:8])
