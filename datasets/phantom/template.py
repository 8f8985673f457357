"""The ICBM template: tissue maps of an average healthy brain, and what the phantom derives from them.

The template is the ICBM 2009a nonlinear symmetric one (T1, grey- and white-matter maps), which ships
inside nilearn; nothing is fetched. Its licence, as distributed by the McConnell Brain Imaging Centre, is
in :data:`TEMPLATE_LICENCE`; the phantom's manifest repeats it.

References
----------
Fonov et al., "Unbiased average age-appropriate atlases for pediatric studies", NeuroImage 54 (2011);
Collins et al., "ANIMAL+INSECT: improved cortical structure segmentation", IPMI (1999).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

TEMPLATE_NAME = (
    "ICBM 2009a nonlinear symmetric (T1, grey and white matter), as shipped with nilearn"
)
TEMPLATE_LICENCE = (
    "ICBM 152 nonlinear atlases (2009), copyright (C) 1993-2004 Louis Collins, McConnell Brain "
    "Imaging Centre, Montreal Neurological Institute, McGill University: use, copying, modification "
    "and distribution permitted for any purpose and without fee, provided that the copyright notice "
    "appears in all copies; provided as is, without warranty."
)

DISTANCE_STEP = 0.25
"""Millimetres per grey level of the 8-bit distance maps."""

# Lesions are placed by these: at the same place whatever the voxels of the scan.
_NEVER_SMOOTHED = ("from_ventricle", "from_surface", "outside", "white_exact")


@dataclass(frozen=True)
class Template:
    """The ICBM template and what is derived from it, as 8-bit maps on its own 1 mm grid.

    Parameters
    ----------
    maps : dict of uint8 (X, Y, Z)
        ``brain``, ``grey``, ``white``, ``ventricle``: probability x 255; ``texture``: T1 intensity
        less what the tissues explain, x 255 + 128; ``from_ventricle``, ``from_surface``: distance in
        quarter millimetres, at most 255; ``outside``: the same from the brain outwards;
        ``white_exact``: ``white``, never smoothed.
    affine : float64 (4, 4)
        Voxel to MNI space, mm.
    digest : str
        SHA-256 of the template's voxels.
    """

    maps: dict[str, NDArray[np.uint8]]
    affine: NDArray[np.float64]
    digest: str

    def smoothed(self, spacing: float) -> Template:
        """Return the template as a scan with voxels of ``spacing`` mm sees it (partial volume)."""
        sigma = 0.35 * math.sqrt(max(0.0, spacing**2 - 1.0))
        if sigma == 0:
            return self
        maps = {
            name: values
            if name in _NEVER_SMOOTHED
            else ndimage.gaussian_filter(values, sigma, output=np.uint8, truncate=3.0)
            for name, values in self.maps.items()
        }
        return Template(maps, self.affine, self.digest)

    def sites(self, **bounds: tuple[int, int]) -> NDArray[np.float64]:
        """Return places where maps lie between bounds: MNI coordinates, mm, (N, 3).

        Parameters
        ----------
        **bounds : (int, int)
            By name of a map, its least and largest grey level. Every second voxel along each axis is looked at.
        """
        every = (slice(None, None, 2),) * 3
        found = np.logical_and.reduce(
            [
                (self.maps[name][every] >= least) & (self.maps[name][every] <= largest)
                for name, (least, largest) in bounds.items()
            ]
        )
        return 2 * np.argwhere(found) @ self.affine[:3, :3].T + self.affine[:3, 3]


@cache
def load_template() -> Template:
    """Load the ICBM template from the installed nilearn and derive the maps the phantom needs.

    Returns
    -------
    Template
        Cropped to the brain; 37 MB, loaded once in a process.
    """
    from nilearn.datasets import (
        load_mni152_gm_template,
        load_mni152_template,
        load_mni152_wm_template,
    )

    image = load_mni152_template(resolution=1)
    t1 = np.asarray(image.dataobj, dtype=np.float32)
    grey = np.asarray(load_mni152_gm_template(resolution=1).dataobj, dtype=np.float32)
    white = np.asarray(load_mni152_wm_template(resolution=1).dataobj, dtype=np.float32)
    digest = hashlib.sha256(b"".join(_bytes(part) for part in (t1, grey, white))).hexdigest()

    inside = np.argwhere(t1 > 0)
    low = np.maximum(inside.min(axis=0) - 4, 0)
    high = inside.max(axis=0) + 5
    crop = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    affine = image.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    t1, grey, white = t1[crop], grey[crop], white[crop]
    # A layer of air below keeps the brain stem, which the template cuts, from leaking to the border.
    t1, grey, white = (np.pad(part, ((0, 0), (0, 0), (4, 0))) for part in (t1, grey, white))
    affine[:3, 3] -= 4 * affine[:3, 2]
    return Template(_derived_maps(t1, grey, white), affine, digest)


def _bytes(values: NDArray[np.float32]) -> bytes:
    return np.round(values * 255).astype(np.uint8).tobytes()


def _distance_to(region: NDArray[np.bool_]) -> NDArray[np.float32]:
    # SimpleITK's exact distance is several times as fast as scipy's; inside the region it is negative.
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(region.astype(np.uint8))
    found = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=False)
    return np.maximum(sitk.GetArrayFromImage(found), 0)


def _derived_maps(
    t1: NDArray[np.float32], grey: NDArray[np.float32], white: NDArray[np.float32]
) -> dict[str, NDArray[np.uint8]]:
    brain = t1 > 0
    grey, white = grey * brain, white * brain
    fluid = np.clip(1.0 - grey - white, 0.0, 1.0) * brain
    from_surface = _distance_to(~brain)
    labels, count = ndimage.label((fluid > 0.5) & (from_surface > 20.0))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    ventricle = ndimage.binary_dilation(
        labels == sizes.argmax(), iterations=2, mask=(fluid > 0.3) & (from_surface > 15.0)
    )
    from_ventricle = _distance_to(ventricle)

    parts = np.stack([fluid[brain], grey[brain], white[brain]], axis=1)
    weights, *_ = np.linalg.lstsq(parts, t1[brain], rcond=None)
    texture = np.zeros_like(t1)
    texture[brain] = t1[brain] - parts @ weights

    def eighth(values: NDArray[np.float32], offset: float = 0.0) -> NDArray[np.uint8]:
        return np.clip(np.round(values * 255 + offset), 0, 255).astype(np.uint8)

    return {
        "brain": eighth(brain.astype(np.float32)),
        "grey": eighth(grey),
        "white": eighth(white),
        "ventricle": eighth(ventricle * fluid),
        "texture": eighth(texture, 128.0),
        "white_exact": eighth(white),
        "from_ventricle": np.minimum(from_ventricle / DISTANCE_STEP, 255).astype(np.uint8),
        "from_surface": np.minimum(from_surface / DISTANCE_STEP, 255).astype(np.uint8),
        "outside": np.minimum(_distance_to(brain) / DISTANCE_STEP, 255).astype(np.uint8),
    }
