"""From ideal images to scans: what skull-stripping leaves and blurs, slice thickness, bias field, noise, units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.phantom.anatomy import Anatomy
from datasets.phantom.contrasts import Images, Scanner
from datasets.phantom.noise import smooth_noise
from datasets.volume import MODALITIES

_RESIDUE = {"flair": 1.0, "t1": 0.60, "t1ce": 0.95, "t2": 0.60}
"""Brightness of dura and fat that skull-stripping left, relative to white matter; it varies by patches."""

_SHADED = {"flair": 1.0, "t1": 1.35, "t1ce": 1.2, "t2": 0.85}
"""Strength of the bias field, relative to FLAIR's."""


def soften(
    images: Images, anatomy: Anatomy, scanner: Scanner, generator: np.random.Generator
) -> None:
    """Finish healthy images, in place: dura that is left outside the brain, a fading rim, thick FLAIR slices.

    Lesions are painted afterwards, so that they change the voxels of their mask alone.

    Parameters
    ----------
    images : dict of float32 (X, Y, Z)
        By modality, relative to white matter.
    anatomy : Anatomy
        Gives depth and residue.
    scanner : Scanner
        How many FLAIR scans have thick slices.
    generator : numpy Generator
        Stream for this purpose.
    """
    axes = anatomy.pose.grid.axes
    bright = np.exp(np.float32(0.6) * smooth_noise(generator, 14.0, axes))
    reach = np.float32(np.clip(generator.normal(4.2, 0.8), 2.0, 6.0))
    floor = np.float32(generator.uniform(0.08, 0.25))
    fading = floor + (1 - floor) * np.clip((anatomy.depth + np.float32(0.5)) / reach, 0, 1)
    through = generator.uniform(0.8, 1.8) if generator.random() < scanner.thick else 0.0
    for modality, image in images.items():
        left = np.float32(_RESIDUE[modality] * np.exp(generator.normal(0, 0.25))) * bright
        image += anatomy.residue * (left - image)
        if modality == "flair" and through:
            image[:] = ndimage.gaussian_filter1d(image, through / anatomy.pose.grid.spacing, axis=2)
        image *= fading


def acquire(
    images: Images,
    brain: NDArray[np.bool_],
    anatomy: Anatomy,
    scanner: Scanner,
    generator: np.random.Generator,
) -> dict[str, NDArray[np.int16]]:
    """Add bias field, Rician noise and the scanner's arbitrary unit.

    Parameters
    ----------
    images : dict of float32 (X, Y, Z)
        By modality, relative to white matter.
    brain : bool (X, Y, Z)
        Brain mask; outside it the scan is exactly 0, inside it at least 1.
    anatomy : Anatomy
        Gives the grid.
    scanner : Scanner
        Strength of bias and noise.
    generator : numpy Generator
        Stream for this purpose. Numbers that depend on the grid are drawn last.

    Returns
    -------
    dict of int16 (X, Y, Z)
    """
    axes = anatomy.pose.grid.axes
    gains: Images = {}
    units = {}
    coil = smooth_noise(generator, 75.0, axes)  # one coil for all, and something of each
    for modality in MODALITIES:
        strength = scanner.bias * _SHADED[modality] * float(np.exp(generator.normal(0, 0.3)))
        bias = 0.7 * coil + 0.7 * smooth_noise(generator, 75.0, axes)
        gains[modality] = np.exp(np.float32(strength) * bias).astype(np.float32)
        units[modality] = scanner.contrasts[modality].white * np.exp(generator.normal(0, 0.25))
    # Larger voxels gather more signal; the floor stands for what motion and reconstruction leave.
    spacing = anatomy.pose.grid.spacing
    noise = scanner.noise * float(np.exp(generator.normal(0, 0.5)))
    sigma = np.float32(max(noise * spacing**-0.5, 0.4 * noise))
    out = {}
    for modality in MODALITIES:
        values = (images[modality] * gains[modality])[brain]
        real = values + sigma * generator.standard_normal(values.shape, dtype=np.float32)
        imaginary = sigma * generator.standard_normal(values.shape, dtype=np.float32)
        measured = np.float32(units[modality]) * np.hypot(real, imaginary)
        scan = np.zeros(brain.shape, dtype=np.int16)
        scan[brain] = np.clip(np.rint(measured), 1, np.iinfo(np.int16).max).astype(np.int16)
        out[modality] = scan
    return out
