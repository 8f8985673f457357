"""From tissues to images: what each modality shows of a subject, in one of several hospitals.

All intensities are relative to healthy white matter of the same modality until
:func:`datasets.phantom.acquisition.acquire` turns them into the integers of a scan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.anatomy import Anatomy
from datasets.phantom.bright import bright_structures
from datasets.phantom.noise import smooth_noise
from datasets.volume import MODALITIES

ScannerName = Literal["a", "b"]


@dataclass(frozen=True)
class Contrast:
    """How one modality shows the tissues.

    Parameters
    ----------
    fluid, grey : float
        Intensity relative to white matter.
    between : float
        Standard deviation of ``grey`` between subjects.
    texture : float
        Weight of the template's T1 texture.
    uneven : float
        Standard deviation of tissue within a subject: its grain, its patches.
    white : float
        Stored value of white matter, the scanner's arbitrary unit.
    """

    fluid: float
    grey: float
    between: float
    texture: float
    uneven: float
    white: float


@dataclass(frozen=True)
class Scanner:
    """A population of scanners: contrasts and imperfections.

    Parameters
    ----------
    contrasts : dict of Contrast
        By modality.
    sites : int
        Hospitals, whose contrasts differ.
    noise : float
        Standard deviation of the noise in each of the two receiver channels, relative to white matter, at 1 mm.
    bias : float
        Mean of the standard deviation of the bias field's logarithm.
    thick : float
        Share of subjects whose FLAIR was taken in thick slices.
    """

    contrasts: dict[str, Contrast]
    sites: int
    noise: float
    bias: float
    thick: float


SCANNERS: dict[ScannerName, Scanner] = {
    "a": Scanner(
        {
            "flair": Contrast(0.42, 1.07, 0.12, -0.35, 0.095, 230.0),
            "t1": Contrast(0.45, 0.82, 0.05, 0.6, 0.052, 620.0),
            "t1ce": Contrast(0.50, 0.84, 0.06, 0.6, 0.068, 780.0),
            "t2": Contrast(2.35, 1.36, 0.18, -0.7, 0.070, 210.0),
        },
        sites=4, noise=0.004, bias=0.065, thick=0.5,
    ),
    "b": Scanner(
        {
            "flair": Contrast(0.25, 1.05, 0.08, -0.45, 0.060, 310.0),
            "t1": Contrast(0.22, 0.68, 0.05, 1.0, 0.050, 410.0),
            "t1ce": Contrast(0.25, 0.72, 0.05, 1.0, 0.050, 450.0),
            "t2": Contrast(2.90, 1.45, 0.10, -1.1, 0.070, 330.0),
        },
        sites=1, noise=0.012, bias=0.010, thick=0.0,
    ),
}  # fmt: skip

Images = dict[str, NDArray[np.float32]]


def _site(scanner: Scanner, site: int) -> np.random.Generator:
    """Return a stream that belongs to a hospital, whoever is scanned there."""
    key = round(1e4 * scanner.noise)
    return np.random.default_rng(np.random.SeedSequence(2021, spawn_key=(key, site)))


def healthy_images(
    anatomy: Anatomy, scanner: Scanner, site: int, generator: np.random.Generator, age: float
) -> Images:
    """Show healthy tissue in the four modalities, before bias field and noise.

    Parameters
    ----------
    anatomy : Anatomy
        The subject's tissues.
    scanner : Scanner
        Contrasts; each hospital's and each subject's own differ from them.
    site : int
        Which hospital.
    generator : numpy Generator
        Stream for this purpose.
    age : float
        Years.

    Returns
    -------
    dict of float32 (X, Y, Z)
        By modality, healthy white matter about 1; undefined outside the brain.
    """
    axes = anatomy.pose.grid.axes
    place = _site(scanner, site)
    grain = smooth_noise(generator, 5.0, axes)  # fine structure that all modalities share
    patches = smooth_noise(generator, 20.0, axes)
    bright = bright_structures(anatomy, generator, age)
    images: Images = {}
    for modality in MODALITIES:
        contrast = scanner.contrasts[modality]
        fluid = contrast.fluid * float(np.exp(generator.normal(0, 0.12) + place.normal(0, 0.08)))
        grey = contrast.grey + 0.8 * contrast.between * generator.normal()
        grey += 0.6 * contrast.between * place.normal()
        grey_gain = np.float32(0.03) * smooth_noise(generator, 30.0, axes)
        own = smooth_noise(generator, 7.0, axes)
        sign = np.float32(-1.0 if contrast.texture < 0 else 1.0)
        uneven = sign * (np.float32(0.5) * grain + np.float32(0.7) * patches)
        uneven += np.float32(0.5) * own
        image = (
            np.float32(fluid) * anatomy.fluid
            + np.float32(grey) * anatomy.grey * (1 + grey_gain)
            + anatomy.white
        )
        strength = contrast.uneven * float(np.exp(generator.normal(0, 0.3)))
        image *= 1 + np.float32(strength) * uneven
        image += np.float32(contrast.texture) * anatomy.texture * (1 - anatomy.fluid)
        if modality == "flair":
            image += bright.water + bright.limbic + bright.flow + bright.plexus
        elif modality == "t2":
            image += np.float32(0.6) * bright.water
        else:
            image -= np.float32(0.12) * bright.water
        if modality == "t1ce":
            image += np.float32(0.55) * bright.vessels + np.float32(0.7) * bright.plexus
        images[modality] = np.maximum(image, np.float32(0.02))
    return images
