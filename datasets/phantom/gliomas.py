"""Glioma-like tumours: oedema around an enhancing rim around necrosis, with tissue pushed aside.

Volumes, intensities and borders are those of eight training patients of BraTS 2021: ``docs/phantom.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.anatomy import Anatomy, MassEffect, Pose
from datasets.phantom.noise import smooth_noise
from datasets.phantom.painting import Look, bounded, distance_from, ellipsoid, levels, ramp
from datasets.phantom.template import Template

NECROSIS, OEDEMA, ENHANCING = 1, 2, 4
"""BraTS labels: necrotic or non-enhancing tumour core, oedema, enhancing tumour."""


@dataclass(frozen=True)
class Glioma:
    """A glioma-like tumour: oedema around an enhancing rim around necrosis.

    Parameters
    ----------
    centre : float64 (3,)
        mm from the grid's middle.
    core, oedema : float
        Mean radii, mm.
    rim : float
        Thickness of the enhancing rim, mm; 0 for a tumour that takes up no contrast agent.
    border : float
        Depth, mm, at which the oedema's signal is whole.
    axes : float64 (3, 3)
        Linear map that makes the tumour's ellipsoid a sphere.
    shift : float
        Mass effect, mm.
    looks : dict of Look
        By label.
    satellites : tuple of (float64 (3,), float)
        Centres and radii, mm, of small foci beside it.
    """

    centre: NDArray[np.float64]
    core: float
    oedema: float
    rim: float
    border: float
    axes: NDArray[np.float64]
    shift: float
    looks: dict[int, Look]
    satellites: tuple[tuple[NDArray[np.float64], float], ...]

    @property
    def mass_effect(self) -> MassEffect:
        """The displacement of the tissue around."""
        return MassEffect(self.centre, self.core, self.shift)


def draw_glioma(generator: np.random.Generator, template: Template, pose: Pose) -> Glioma:
    """Draw a tumour in the hemispheres: one in four takes up no contrast agent.

    Parameters
    ----------
    generator : numpy Generator
        Stream for this purpose; the numbers drawn do not depend on the grid.
    template : Template
        Where white matter is.
    pose : Pose
        The subject before the tumour grew.
    """
    sites = template.sites(white_exact=(128, 255), from_surface=(levels(6), 255))
    x, y, z = sites.T
    hemisphere = (np.abs(x) > 12) & ((z > 0) | ((z > -25) & (np.abs(x) > 25) & (y > -45)))
    sites = sites[hemisphere]
    centre = pose.nearest(sites[generator.integers(len(sites))])
    millilitres = float(np.clip(np.exp(generator.normal(np.log(115.0), 0.8)), 8.0, 240.0))
    oedema = (1000 * millilitres * 3 / (4 * math.pi)) ** (1 / 3)
    core = oedema * generator.uniform(0.15, 0.85) ** (1 / 3)
    rim = generator.uniform(2.5, 7.0) if generator.random() > 0.25 else 0.0
    shift = generator.uniform(0.05, 0.3) * min(core, 24.0)
    axes = ellipsoid(generator, 0.2)
    border = generator.uniform(3.0, 6.0)
    return Glioma(
        centre, core, oedema, rim, border, axes, shift,
        _glioma_looks(generator), _satellites(generator, centre, oedema),
    )  # fmt: skip


def _glioma_looks(generator: np.random.Generator) -> dict[int, Look]:
    flair = bounded(generator, 1.68, 0.25, 1.2, 2.4)
    t2 = bounded(generator, 1.75, 0.3, 1.15, 2.8)
    t1 = bounded(generator, 0.95, 0.06, 0.75, 1.05)
    core_t1 = bounded(generator, 0.88, 0.14, 0.5, 1.05)
    return {
        OEDEMA: Look(flair, t1, t1 - bounded(generator, 0.02, 0.03, -0.05, 0.08), t2),
        NECROSIS: Look(
            flair=bounded(generator, 1.50, 0.33, 0.6, 2.2),
            t1=core_t1,
            t1ce=core_t1 - bounded(generator, 0.04, 0.05, -0.05, 0.15),
            t2=bounded(generator, 2.35, 0.6, 1.2, 3.6),
        ),
        ENHANCING: Look(
            flair=bounded(generator, 1.68, 0.24, 1.0, 2.3),
            t1=bounded(generator, 0.91, 0.10, 0.7, 1.15),
            t1ce=bounded(generator, 1.21, 0.10, 1.02, 1.6),
            t2=bounded(generator, 2.1, 0.35, 1.1, 3.0),
        ),
    }


def _satellites(
    generator: np.random.Generator, centre: NDArray[np.float64], reach: float
) -> tuple[tuple[NDArray[np.float64], float], ...]:
    out = []
    for _ in range(int(generator.poisson(1.5))):
        direction = generator.standard_normal(3)
        away = reach * generator.uniform(1.1, 1.6) * direction / np.linalg.norm(direction)
        out.append((centre + away, float(generator.uniform(2.5, 6.0))))
    return tuple(out)


def glioma_labels(
    tumour: Glioma, anatomy: Anatomy, generator: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Grow a tumour into the tissue.

    Oedema follows white matter and stops at fluid; the core does not heed tissue borders.

    Returns
    -------
    labels : uint8 (X, Y, Z)
        0, :data:`NECROSIS`, :data:`OEDEMA`, :data:`ENHANCING`.
    weight : float32 (X, Y, Z)
        Share of lesion in each voxel's signal, (0, 1] inside, 0 outside.
    """
    grid = anatomy.pose.grid
    distance = distance_from(grid.axes, tumour.centre, tumour.axes)
    broad, fine = smooth_noise(generator, 15.0, grid.axes), smooth_noise(generator, 7.0, grid.axes)
    inner = smooth_noise(generator, 9.0, grid.axes)
    size = np.float32(tumour.core)
    core = size * (1 + np.float32(0.16) * broad + np.float32(0.08) * fine) - distance
    spread = np.float32(tumour.oedema) * (np.float32(0.84) + np.float32(0.26) * anatomy.white)
    uneven = np.float32(0.17) * broad + np.float32(0.07) * fine
    oedema = spread + np.float32(0.8 * tumour.oedema) * uneven - distance
    for centre, radius in tumour.satellites:
        focus = distance_from(grid.axes, centre, np.eye(3))
        oedema = np.maximum(oedema, np.float32(radius) - focus)
    tissue = anatomy.brain & (anatomy.ventricle < 0.4) & (anatomy.depth > 1.5)
    labels = np.zeros(anatomy.brain.shape, dtype=np.uint8)
    weight = np.zeros(anatomy.brain.shape, dtype=np.float32)

    swollen = tissue & (anatomy.fluid < 0.5) & ((oedema > 0) | (core > 0))
    labels[swollen] = OEDEMA
    weight[swollen] = ramp(np.maximum(oedema, core)[swollen], tumour.border)
    solid = tissue & (core > 0)
    labels[solid] = NECROSIS
    weight[solid] = np.maximum(weight[solid], ramp(core[solid], 2.5))
    if tumour.rim:
        thickness = np.float32(tumour.rim) * (1 + np.float32(0.35) * inner)
        labels[solid & (core < np.maximum(thickness, 1.5))] = ENHANCING
    return labels, weight
