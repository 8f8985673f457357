"""Which part of the brain a voxel lies in: tissues of the ICBM template carried on to the scan, and the scan's own rim.

The template's tissue maps come on to the scan by the affine registration that ``prepare`` uses, from what is kept of the
scan; it is kept beside that. An affine transform brings ventricles and lobes to within some millimetres, not single gyri.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from benchmark.scoring.scan_views import ScanView
from datasets.phantom.template import load_template
from datasets.prepare.register.affine import register_affine, resample_to
from datasets.prepare.register.registration_template import (
    MNI_TO_BRATS,
    RegistrationTemplate,
    icbm_template,
)

REGIONS = (
    "ventricles",
    "rim",
    "skull base",
    "other fluid",
    "grey matter",
    "white matter",
)
"""Every voxel of the brain lies in one; where several fit, in the first of them."""
VENTRICLES, RIM, BASE, FLUID, GREY, WHITE = range(len(REGIONS))
DEFINITIONS = {
    "ventricles": "the template's ventricles",
    "rim": "within 5 mm of the edge of the brain mask",
    "skull base": "the lowest fifth of the brain's height",
    "other fluid": "the template's fluid elsewhere",
    "grey matter": "the template's grey matter, deep nuclei too",
    "white matter": "the template's white matter",
}

RIM_MM = 5.0
BASE_SHARE = 0.2
HEIGHTS = 10
"""Parts of equal height that a brain is cut into, from its lowest slice to its highest."""
_BEST_CONTRAST = ("t1", "t1ce", "t2", "flair")
"""What is registered to the template, a T1: the first of these that there is."""


def registered(
    view: ScanView, brain: NDArray[np.bool_], spacing: tuple[float, float, float], kept: Path
) -> NDArray[np.float64]:
    """Return where a scan lies in the template's world, as kept or found now.

    Parameters
    ----------
    view : ScanView
        What is kept of the scan.
    brain : bool (X, Y, Z)
        Brain mask, on the working grid.
    spacing : (float, float, float)
        Voxel edges, mm.
    kept : Path
        JSON file of the transform; made if absent.

    Returns
    -------
    float64 (4, 4)
        From the working grid's world (:func:`working_affine`) to the template's.

    Raises
    ------
    UserError
        When the file cannot be written or is damaged, or the brain cannot be registered.
    """
    template = template_brain()
    name = next((m for m in _BEST_CONTRAST if m in view.modalities), view.modalities[0])
    asked = {"template": template.hash, "modality": name}
    try:
        found = json.loads(kept.read_text(encoding="utf-8"))
        if {key: found.get(key) for key in asked} == asked:
            return np.array(found["to_template"], dtype=np.float64).reshape(4, 4)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise UserError(f"{kept}: damaged ({error}); delete it to make it again") from error
    values = np.zeros(brain.shape, dtype=np.float32)
    values[view.box] = view.images[view.modalities.index(name)]
    values = np.where(brain, values + 1, np.float32(0))
    result = register_affine(values, working_affine(spacing), template)
    record = {**asked, "to_template": result.to_template.tolist(), "dice": result.dice_after}
    write_atomically(kept, json.dumps(record) + "\n")
    return result.to_template


@cache
def template_brain() -> RegistrationTemplate:
    """Return what scans are registered to, made once in a process."""
    return icbm_template()


def working_affine(spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return voxel to world (RAS), mm, of a working grid: its axes run to left, posterior, superior; corner at 0."""
    return np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])


def tissues(
    to_template: NDArray[np.float64],
    brain: NDArray[np.bool_],
    spacing: tuple[float, float, float],
) -> NDArray[np.uint8]:
    """Carry the template's tissues on to a scan.

    Parameters
    ----------
    to_template : float64 (4, 4)
        From the scan's world to the template's.
    brain : bool (X, Y, Z)
        Brain mask; where the template does not reach, a voxel has the tissue that is nearest.
    spacing : (float, float, float)
        Voxel edges, mm.

    Returns
    -------
    uint8 (X, Y, Z)
        Numbers of :data:`REGIONS`; meaningless outside the brain.
    """
    labels, affine = _template_tissues()
    carried = resample_to(
        labels,
        affine,
        np.linalg.inv(to_template).astype(np.float64),
        brain.shape,
        working_affine(spacing),
        nearest=True,
    )
    known = carried > 0
    if brain.any() and not known.all() and known.any():
        nearest = ndimage.distance_transform_edt(
            ~known, sampling=spacing, return_distances=False, return_indices=True
        )
        carried = carried[tuple(nearest)]
    return (np.maximum(carried, 1) - 1).astype(np.uint8)


@cache
def _template_tissues() -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return the template's tissues, 1 + numbers of regions and 0 outside its brain, and where they lie.

    That is in the world of the template that scans are registered to.
    """
    template = load_template()
    grey, white = (template.maps[name].astype(np.int16) for name in ("grey", "white"))
    inside = template.maps["brain"] > 0
    likely = np.stack([255 - grey - white, grey, white]).argmax(axis=0)
    labels = (likely + FLUID + 1).astype(np.uint8)
    labels[template.maps["ventricle"] > 64] = VENTRICLES + 1
    labels[~inside] = 0
    affine = template.affine.copy()
    affine[:3, 3] += MNI_TO_BRATS
    return labels, affine


def regions_of(
    tissue: NDArray[np.uint8], brain: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> NDArray[np.uint8]:
    """Divide a brain into :data:`REGIONS`.

    Parameters
    ----------
    tissue : uint8 (X, Y, Z)
        Of :func:`tissues`.
    brain : bool (X, Y, Z)
        Brain mask.
    spacing : (float, float, float)
        Voxel edges, mm.

    Returns
    -------
    uint8 (X, Y, Z)
        Numbers of the regions; meaningless outside the brain.
    """
    out = tissue.copy()
    other = tissue != VENTRICLES
    height = heights_of(brain)
    out[other & (height < BASE_SHARE * HEIGHTS)] = BASE
    # Where the scan ends, the brain does not: its first and last slice have no rim.
    padded = np.pad(np.pad(brain, ((1, 1), (1, 1), (0, 0))), ((0, 0), (0, 0), (1, 1)), mode="edge")
    depth = ndimage.distance_transform_edt(padded, sampling=spacing)[1:-1, 1:-1, 1:-1]
    out[other & (depth <= RIM_MM)] = RIM
    return out


def heights_of(brain: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return for each voxel which of :data:`HEIGHTS` parts it lies in, 0 the lowest, uint8 (X, Y, Z)."""
    slices = np.flatnonzero(brain.any(axis=(0, 1)))
    low, high = (slices[0], slices[-1] + 1) if len(slices) else (0, brain.shape[2])
    part = (np.arange(brain.shape[2]) - low) * HEIGHTS // max(1, high - low)
    part = np.clip(part, 0, HEIGHTS - 1).astype(np.uint8)
    return np.broadcast_to(part, brain.shape)
