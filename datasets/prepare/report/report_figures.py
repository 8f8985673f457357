"""The pictures of a data report: lesions, healthy slices, intensities, and some subjects as they are."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.geometry import voxel_sizes
from datasets.names import MASK, TITLES
from datasets.prepare.sidecar import Preparation
from datasets.scans import grid
from datasets.scans.foreground import relative_to_background
from datasets.scans.lesion_mask import lesion_voxels
from datasets.scans.nifti import read_nifti
from datasets.volume import MODALITIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLOURS = {"train": "#4477aa", "val": "#ee7733", "test": "#228833", "": "#999999"}


def figure_bytes(figure: Figure) -> bytes:
    """Return a figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def lesions(prepared: Sequence[Preparation], part_of: Mapping[str, str]) -> bytes:
    """Draw histograms of lesion volume (ml, logarithmic) and of healthy slices, by part of the split."""
    figure, (left, right) = _figure(1, 2, 9.6, 2.9)
    known = [s for s in prepared if s.labelled]
    volumes = {s.subject: s.lesion_ml for s in known if s.lesion_ml > 0}
    if volumes:
        low, high = min(volumes.values()), max(volumes.values())
        edges = np.geomspace(low * 0.95, max(high, low * 1.5) * 1.05, min(25, 5 + len(volumes)))
        _stacked(left, volumes, part_of, edges)
        left.set_xscale("log")
        _plain_ticks(left.xaxis)
    else:
        left.text(0.5, 0.5, "no lesion", ha="center", transform=left.transAxes, color="#777777")
    free = len(known) - len(volumes)
    left.set_xlabel("lesion volume, ml" + (f"   ({free} lesion-free not shown)" if free else ""))
    slices = {s.subject: float(s.measured.healthy_slices or 0) for s in known}
    if slices:
        most = max(slices.values())
        edges = np.linspace(-0.5, most + 0.5, min(25, int(most) + 2))
        _stacked(right, slices, part_of, edges)
    right.set_xlabel("healthy slices of a subject (brain and no lesion voxel)")
    for axes in (left, right):
        axes.set_ylabel("subjects")
        axes.yaxis.get_major_locator().set_params(integer=True)
    handles, labels = right.get_legend_handles_labels()
    if handles:
        right.legend(handles, labels, frameon=False, fontsize=8)
    return _closed(figure)


def intensities(prepared: Sequence[Preparation]) -> bytes:
    """Draw the quantiles of each modality over the subjects, sorted by the 99th percentile."""
    names = [m for m in MODALITIES if any(m in s.measured.intensities for s in prepared)]
    figure, axes = _figure(1, len(names), 2.4 * len(names) + 0.4, 2.7)
    for axis, name in zip(axes, names, strict=True):
        found = [s.measured.intensities[name] for s in prepared if name in s.measured.intensities]
        table = np.array(sorted((f.quantiles for f in found), key=lambda row: row[-1]))
        place = np.arange(1, len(table) + 1)
        if len(table) == 1:  # bands need two
            place, table = np.array([0.8, 1.2]), np.repeat(table, 2, axis=0)
        axis.fill_between(place, table[:, 0], table[:, 4], color="#dce6f2", linewidth=0)
        axis.fill_between(place, table[:, 1], table[:, 3], color="#a9c1de", linewidth=0)
        axis.plot(place, table[:, 2], color="#1f4e8c", linewidth=1.2)
        axis.set_yscale("log")
        _plain_ticks(axis.yaxis)
        axis.set_title(TITLES[name], fontsize=10)
        axis.set_xlabel("subjects, by 99th percentile")
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel("intensity above 0")
    return _closed(figure)


def examples(prepared: Sequence[Preparation], output: Path) -> tuple[bytes, list[str]] | None:
    """Draw the subjects with the smallest, the middle and the largest lesion, one row each, lesion outlined.

    Returns
    -------
    (PNG, ids) or None
        None where there is no subject.
    """
    chosen = _chosen(prepared)
    if not chosen:
        return None
    names = [m for m in MODALITIES if any(m in s.files for s in chosen)]
    figure, axes = _figure(
        len(chosen), len(names), 2.2 * len(names) + 0.2, 2.35 * len(chosen) + 0.2, squeeze=False
    )
    for row, sidecar in zip(axes, chosen, strict=True):
        _subject(row, sidecar, output, names)
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(TITLES[name], fontsize=10)
    figure.get_layout_engine().set(h_pad=0.12, hspace=0.02)
    return _closed(figure), [s.subject for s in chosen]


def _chosen(prepared: Sequence[Preparation]) -> list[Preparation]:
    ordered = sorted(prepared, key=lambda s: (s.lesion_ml, s.subject))
    shown = [s for s in ordered if s.lesion_ml] or ordered
    places = sorted({0, len(shown) // 2, len(shown) - 1}) if shown else []
    return [shown[k] for k in places]


def _subject(row: Sequence[Axes], sidecar: Preparation, output: Path, names: Sequence[str]) -> None:
    folder = output / sidecar.subject
    lesion = None
    files = {kind: folder / entry.file for kind, entry in sidecar.files.items()}
    if MASK in files:
        scan = read_nifti(files[MASK])
        native, _ = grid.plan(scan.values.shape, scan.affine, 128)
        lesion = grid.turned(lesion_voxels(scan, sidecar.rule), native)
    z: int | None = None
    window = (slice(None), slice(None))
    for axis, name in zip(row, names, strict=True):
        axis.set_axis_off()
        if name not in files:
            axis.text(0.5, 0.5, "missing", ha="center", transform=axis.transAxes, color="#777777")
            continue
        scan = relative_to_background(read_nifti(files[name]))
        native, _ = grid.plan(scan.values.shape, scan.affine, 128)
        image = grid.turned(scan.values, native)
        if z is None:
            content = lesion if lesion is not None and lesion.any() else image > 0
            z = int(np.argmax(np.count_nonzero(content, axis=(0, 1))))
            window = _window(image > 0.02 * image.max())
        top = sidecar.measured.intensities[name].quantiles[-1]
        # Columns from the subject's right to the left, rows from the front to the back, as radiologists look.
        edges = voxel_sizes(scan.affine)
        order = np.argsort(native.orientation[:, 0])
        aspect = edges[order[1]] / edges[order[0]]
        axis.imshow(
            image[:, :, z][window].T,
            cmap="gray",
            vmin=0,
            vmax=top,
            aspect=aspect,
            interpolation="nearest",
        )
        if lesion is not None and lesion[:, :, z].any():
            axis.contour(lesion[:, :, z][window].T, levels=[0.5], colors="#ee3377", linewidths=0.9)
    ml = sidecar.measured.lesion_ml
    said = "no mask" if ml is None else f"{ml:.3g} ml"
    row[0].text(
        0.0,
        -0.06,
        f"{sidecar.subject}: {said}, slice {z}",
        transform=row[0].transAxes,
        fontsize=8,
    )


def _window(there: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the part of the axial plane that holds anything, and a margin."""
    out = []
    for axis in (0, 1):
        hits = np.flatnonzero(there.any(axis=tuple(k for k in range(3) if k != axis)))
        margin = max(2, there.shape[axis] // 30)
        out.append(slice(max(0, int(hits[0]) - margin), int(hits[-1]) + 1 + margin))
    return out[0], out[1]


def _plain_ticks(axis: Axis) -> None:
    """Write 20, 50, 100 along a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _stacked(
    axes: Axes, values: Mapping[str, float], part_of: Mapping[str, str], edges: Any
) -> None:
    groups = {
        part: [v for s, v in values.items() if part_of.get(s, "") == part] for part in COLOURS
    }
    shown = {part: group for part, group in groups.items() if group}
    axes.hist(
        list(shown.values()),
        bins=edges,
        stacked=True,
        color=[COLOURS[p] for p in shown],
        label=[p or "in no split" for p in shown],
        edgecolor="white",
        linewidth=0.5,
    )


def _figure(rows: int, columns: int, width: float, height: float, *, squeeze: bool = True) -> Any:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        rows, columns, figsize=(width, height), layout="constrained", squeeze=False
    )
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
        axis.xaxis.label.set_size(9)
        axis.yaxis.label.set_size(9)
    return figure, axes[0] if squeeze else axes


def _closed(figure: Figure) -> bytes:
    from matplotlib import pyplot as plt

    found = figure_bytes(figure)
    plt.close(figure)
    return found
