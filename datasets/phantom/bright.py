"""What shines in healthy brains: caps at the ventricles' horns, ageing white matter, limbic cortex, plexus, vessels, flow.

None of it is a lesion, and none is labelled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.anatomy import Anatomy
from datasets.phantom.noise import smooth_noise

# Insula, anterior cingulate, amygdala and hippocampus: centres in MNI space and half axes, mm. Grey matter there is
# brighter on FLAIR than other cortex.
_LIMBIC = (
    ((38.0, 5.0, -2.0), (7.0, 18.0, 14.0)),
    ((4.0, 25.0, 24.0), (6.0, 24.0, 16.0)),
    ((26.0, -14.0, -19.0), (11.0, 20.0, 9.0)),
)
_TRACT = ((24.0, -20.0, 12.0), (5.0, 7.0, 26.0))  # the corticospinal tract in the internal capsule


@dataclass(frozen=True)
class Bright:
    """Maps of what is bright, relative to white matter, float32 (X, Y, Z) each.

    Parameters
    ----------
    water : array
        Water in white matter: bright on FLAIR, half as much on T2, dark on T1.
    limbic : array
        Bright on FLAIR alone.
    plexus, vessels : array
        Take up contrast agent.
    flow : array
        Fluid that FLAIR fails to suppress.
    """

    water: NDArray[np.float32]
    limbic: NDArray[np.float32]
    plexus: NDArray[np.float32]
    vessels: NDArray[np.float32]
    flow: NDArray[np.float32]


def bright_structures(anatomy: Anatomy, generator: np.random.Generator, age: float) -> Bright:
    """Draw a person's bright structures.

    Parameters
    ----------
    anatomy : Anatomy
        The subject's tissues.
    generator : numpy Generator
        Stream for this purpose.
    age : float
        Years; caps and patches of white matter grow with it.
    """
    axes = anatomy.pose.grid.axes
    old = float(np.clip((age - 25) / 55, 0, 1))
    water = _caps(anatomy, generator, old) + _patches(anatomy, generator, old)
    water += np.float32(generator.uniform(0.0, 0.18)) * _blob(anatomy, *_TRACT) * anatomy.white
    limbic = sum(
        np.float32(generator.uniform(0.05, 0.30)) * _blob(anatomy, *place) for place in _LIMBIC
    )
    glow = np.float32(generator.uniform(0.4, 1.1))
    flow = glow * anatomy.fluid * np.clip(smooth_noise(generator, 25.0, axes) - 0.8, 0, 1)
    return Bright(
        water=water,
        limbic=limbic * anatomy.grey,
        plexus=_choroid_plexus(anatomy) * np.float32(generator.uniform(0.3, 1.0)),
        vessels=_vessels(anatomy, generator),
        flow=flow,
    )


def _caps(anatomy: Anatomy, generator: np.random.Generator, old: float) -> NDArray[np.float32]:
    # Normal ageing: white matter at the frontal and occipital horns is bright on FLAIR.
    _, y, _ = anatomy.pose.places
    strength = 0.12 + 0.65 * old * generator.uniform(0.3, 1.0)
    reach = generator.uniform(1.5, 4.0)
    horn = np.clip((np.abs(y + 14.0) - 18.0) / 14.0, 0.2, 1.0)
    near = np.exp(-np.maximum(anatomy.from_ventricle - 1.0, 0) / np.float32(reach))
    return np.float32(strength) * horn * near * (1 - anatomy.fluid)


def _patches(anatomy: Anatomy, generator: np.random.Generator, old: float) -> NDArray[np.float32]:
    # Small-vessel disease of the elderly, which tumour masks leave out.
    level = np.float32(3.6 - 1.7 * old * generator.uniform(0.0, 1.0))
    field = smooth_noise(generator, 7.0, anatomy.pose.grid.axes)
    deep = np.clip((anatomy.from_surface - 8.0) / 6.0, 0, 1)
    amount = np.float32(generator.uniform(0.2, 0.7))
    return amount * np.clip((field - level) * 2, 0, 1) * deep * anatomy.white


def _blob(
    anatomy: Anatomy, centre: tuple[float, float, float], half: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Return a soft ellipsoid on both sides of the midline, 1 in its middle."""
    x, y, z = anatomy.pose.places
    total = ((np.abs(x) - centre[0]) / half[0]) ** 2
    total += ((y - centre[1]) / half[1]) ** 2 + ((z - centre[2]) / half[2]) ** 2
    out: NDArray[np.float32] = np.exp(-(total.astype(np.float32) ** 2))
    return out


def _vessels(anatomy: Anatomy, generator: np.random.Generator) -> NDArray[np.float32]:
    # Zero levels of a random field are sheets; where they cross the sulci they are lines, like vessels.
    field = smooth_noise(generator, 11.0, anatomy.pose.grid.axes)
    lines = np.exp(-((field / np.float32(0.13)) ** 2))
    x, _, z = anatomy.pose.places
    sinus = np.exp(-((x / np.float32(2.5)) ** 2)) * (anatomy.from_surface < 4.0) * (z > 0)
    return (anatomy.fluid - anatomy.ventricle).clip(0, 1) * np.maximum(lines, sinus)


def _choroid_plexus(anatomy: Anatomy) -> NDArray[np.float32]:
    return anatomy.ventricle * _blob(anatomy, (21.0, -39.0, 9.0), (7.0, 8.0, 8.0))
