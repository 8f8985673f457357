"""From tissues to images: what each modality shows of a subject, on one of two scanners.

All intensities are relative to healthy white matter of the same modality until :func:`acquire` turns them into
the integers of a scan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.anatomy import Anatomy
from datasets.phantom.noise import smooth_noise
from datasets.volume import MODALITIES

ScannerName = Literal["a", "b"]


@dataclass(frozen=True)
class Contrast:
    """How one modality of one scanner shows the tissues.

    Parameters
    ----------
    fluid, grey : float
        Intensity relative to white matter.
    texture : float
        Weight of the template's T1 texture.
    white : float
        Stored value of white matter, the scanner's arbitrary unit.
    """

    fluid: float
    grey: float
    texture: float
    white: float


@dataclass(frozen=True)
class Scanner:
    """A scanner: its contrasts and its imperfections.

    Parameters
    ----------
    contrasts : dict of Contrast
        By modality.
    noise : float
        Standard deviation of the noise in each of the two receiver channels, relative to white matter, at 1 mm.
    bias : float
        Standard deviation of the logarithm of the bias field.
    """

    contrasts: dict[str, Contrast]
    noise: float
    bias: float


SCANNERS: dict[ScannerName, Scanner] = {
    "a": Scanner(
        {
            "flair": Contrast(fluid=0.30, grey=1.10, texture=-0.35, white=230.0),
            "t1": Contrast(fluid=0.34, grey=0.74, texture=0.9, white=620.0),
            "t1ce": Contrast(fluid=0.34, grey=0.77, texture=0.9, white=780.0),
            "t2": Contrast(fluid=2.40, grey=1.38, texture=-0.9, white=210.0),
        },
        noise=0.015,
        bias=0.02,
    ),
    "b": Scanner(
        {
            "flair": Contrast(fluid=0.20, grey=1.26, texture=-0.45, white=310.0),
            "t1": Contrast(fluid=0.24, grey=0.66, texture=1.1, white=410.0),
            "t1ce": Contrast(fluid=0.26, grey=0.70, texture=1.1, white=450.0),
            "t2": Contrast(fluid=2.85, grey=1.52, texture=-1.1, white=330.0),
        },
        noise=0.05,
        bias=0.10,
    ),
}

Images = dict[str, NDArray[np.float32]]


def healthy_images(
    anatomy: Anatomy, scanner: Scanner, generator: np.random.Generator, age: float
) -> Images:
    """Show healthy tissue in the four modalities, before bias field and noise.

    Parameters
    ----------
    anatomy : Anatomy
        The subject's tissues.
    scanner : Scanner
        Contrasts; each subject's own differ from them by some per cent.
    generator : numpy Generator
        Stream for this purpose.
    age : float
        Years; caps of bright signal around the ventricles' horns grow with it.

    Returns
    -------
    dict of float32 (X, Y, Z)
        By modality, healthy white matter about 1; undefined outside the brain.
    """
    axes = anatomy.pose.grid.axes
    grain = smooth_noise(generator, 5.0, axes)  # fine structure that all modalities share
    patches = smooth_noise(generator, 22.0, axes)
    horns = _periventricular_caps(anatomy, generator, age)
    vessels = _vessels(anatomy, generator)
    plexus = _choroid_plexus(anatomy)
    flow = anatomy.fluid * np.clip(smooth_noise(generator, 25.0, axes) - 0.8, 0, 1)
    glow = generator.uniform(0.5, 1.0)
    images: Images = {}
    for modality in MODALITIES:
        contrast = scanner.contrasts[modality]
        fluid = contrast.fluid * float(np.exp(generator.normal(0, 0.08)))
        grey = 1 + (contrast.grey - 1) * float(np.exp(generator.normal(0, 0.12)))
        grey_gain = np.float32(0.02) * smooth_noise(generator, 40.0, axes)
        white_gain = np.float32(0.015) * smooth_noise(generator, 40.0, axes)
        own = np.float32(0.006) * smooth_noise(generator, 6.0, axes)
        sign = -1.0 if contrast.texture < 0 else 1.0
        shared = np.float32(0.015 * sign) * grain + np.float32(0.01 * sign) * patches
        image = (
            np.float32(fluid) * anatomy.fluid
            + np.float32(grey) * anatomy.grey * (1 + grey_gain)
            + anatomy.white * (1 + white_gain)
        )
        image *= 1 + own + shared
        image += np.float32(contrast.texture) * anatomy.texture * (1 - anatomy.fluid)
        if modality == "flair":
            image += horns + np.float32(0.9 * glow) * flow + np.float32(0.7) * plexus
        elif modality == "t2":
            image += np.float32(0.5) * horns
        elif modality == "t1":
            image -= np.float32(0.12) * horns
        elif modality == "t1ce":
            image += np.float32(0.55) * vessels + np.float32(0.6) * plexus
            image -= np.float32(0.12) * horns
        images[modality] = np.maximum(image, np.float32(0.02))
    return images


def _periventricular_caps(
    anatomy: Anatomy, generator: np.random.Generator, age: float
) -> NDArray[np.float32]:
    # Normal ageing: white matter at the frontal and occipital horns is bright on FLAIR.
    _, y, _ = anatomy.pose.places
    strength = 0.12 + 0.45 * np.clip((age - 25) / 55, 0, 1) * generator.uniform(0.4, 1.0)
    reach = generator.uniform(1.5, 3.0)
    horn = np.clip((np.abs(y + 14.0) - 18.0) / 14.0, 0.15, 1.0)
    near = np.exp(-np.maximum(anatomy.from_ventricle - 1.0, 0) / np.float32(reach))
    return np.float32(strength) * horn * near * (1 - anatomy.fluid)


def _vessels(anatomy: Anatomy, generator: np.random.Generator) -> NDArray[np.float32]:
    # Zero levels of a random field are sheets; where they cross the sulci they are lines, like vessels.
    field_ = smooth_noise(generator, 11.0, anatomy.pose.grid.axes)
    lines = np.exp(-((field_ / np.float32(0.13)) ** 2))
    x, _, z = anatomy.pose.places
    sinus = np.exp(-((x / np.float32(2.5)) ** 2)) * (anatomy.from_surface < 4.0) * (z > 0)
    return (anatomy.fluid - anatomy.ventricle).clip(0, 1) * np.maximum(lines, sinus)


def _choroid_plexus(anatomy: Anatomy) -> NDArray[np.float32]:
    x, y, z = anatomy.pose.places
    distance = ((np.abs(x) - 21.0) / 7.0) ** 2 + ((y + 39.0) / 8.0) ** 2 + ((z - 9.0) / 8.0) ** 2
    return anatomy.ventricle * np.exp(-(distance.astype(np.float32) ** 2))


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
    for modality in MODALITIES:
        bias = scanner.bias * smooth_noise(generator, 75.0, axes)
        gains[modality] = np.exp(np.float32(1) * bias).astype(np.float32)
        units[modality] = scanner.contrasts[modality].white * np.exp(generator.normal(0, 0.25))
    # Larger voxels gather more signal; the floor stands for what motion and reconstruction leave.
    spacing = anatomy.pose.grid.spacing
    sigma = np.float32(max(scanner.noise * spacing**-0.5, 0.4 * scanner.noise))
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
