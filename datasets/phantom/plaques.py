"""Multiple-sclerosis lesions: small plaques, most of them beside the ventricles, each counted apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.anatomy import Anatomy, Pose
from datasets.phantom.noise import smooth_noise
from datasets.phantom.painting import Look, around, bounded, distance_from, levels, ramp
from datasets.phantom.template import Template

PLAQUE = 1
"""Label of a multiple-sclerosis lesion."""

_BORDER = (0.8, 1.2)  # bounds of a plaque's irregular border, relative to its radius
_ATTEMPTS = 5000  # at placing plaques apart from each other


@dataclass(frozen=True)
class Plaque:
    """A multiple-sclerosis lesion: a small ellipsoid in white matter.

    Parameters
    ----------
    centre : float64 (3,)
        mm from the grid's middle.
    radius : float
        Mean radius, mm.
    axes : float64 (3, 3)
        Linear map that makes the ellipsoid a sphere; the long axis points away from the ventricle.
    look : Look
        Its intensities.
    """

    centre: NDArray[np.float64]
    radius: float
    axes: NDArray[np.float64]
    look: Look

    @property
    def reach(self) -> float:
        """No voxel of the plaque is farther from its centre, mm."""
        return self.radius * _BORDER[1] / float(np.linalg.svd(self.axes, compute_uv=False)[-1])


def draw_plaques(generator: np.random.Generator, template: Template, pose: Pose) -> list[Plaque]:
    """Draw 5 to 45 separate plaques, a person's many or few, large or small; three in four lie beside the ventricles.

    Two plaques are never as near as two voxels, so that they are counted apart.

    Parameters
    ----------
    generator, template, pose
        As for :func:`datasets.phantom.gliomas.draw_glioma`.
    """
    beside = template.sites(white_exact=(190, 255), from_ventricle=(levels(1), levels(9)))
    elsewhere = template.sites(
        white_exact=(190, 255), from_ventricle=(levels(9) + 1, 255), from_surface=(levels(4), 255)
    )
    beside = beside[beside[:, 2] > -5]
    elsewhere = elsewhere[elsewhere[:, 2] > -45]
    wanted = round(float(np.exp(generator.uniform(np.log(5), np.log(45)))))
    size = float(np.exp(generator.normal(np.log(3.7), 0.3)))
    gap = max(5.0, 2.0 * pose.grid.spacing)
    plaques: list[Plaque] = []
    for _ in range(_ATTEMPTS):
        sites = beside if generator.random() < 0.75 else elsewhere
        site = sites[generator.integers(len(sites))]
        radius = float(np.clip(size * np.exp(generator.normal(0, 0.4)), 1.8, 9.0))
        axes = _finger(site, generator.uniform(1.0, 1.8))
        plaque = Plaque(pose.nearest(site), radius, axes, _plaque_look(generator))
        if all(
            np.linalg.norm(plaque.centre - other.centre) > plaque.reach + other.reach + gap
            for other in plaques
        ):
            plaques.append(plaque)
        if len(plaques) == wanted:
            break
    return plaques


def _plaque_look(generator: np.random.Generator) -> Look:
    draw = generator.uniform
    black_hole, active = generator.random() < 0.3, generator.random() < 0.08
    t1 = draw(0.40, 0.60) if black_hole else draw(0.62, 0.88)
    return Look(
        flair=bounded(generator, 1.46, 0.12, 1.15, 1.9),
        t1=t1,
        t1ce=draw(1.2, 1.6) if active else t1,
        t2=bounded(generator, 2.15, 0.25, 1.4, 2.9),
    )


def _finger(site: NDArray[np.float64], long: float) -> NDArray[np.float64]:
    # Dawson's fingers: plaques lie along the veins that run away from the ventricle.
    away = np.array([site[0], 0.35 * (site[1] + 14.0), 0.35 * (site[2] - 15.0)])
    away /= max(float(np.linalg.norm(away)), 1e-6)
    along = np.outer(away, away)
    return along / long ** (2 / 3) + (np.eye(3) - along) * long ** (1 / 3)


def plaque_labels(
    plaques: list[Plaque], anatomy: Anatomy, generator: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Mark plaques; the index of each (1, 2, ...) is its label here.

    Returns
    -------
    indices : uint8 (X, Y, Z)
        1 + index of the plaque, 0 elsewhere. Every plaque has at least one voxel.
    weight : float32 (X, Y, Z)
        Share of lesion in each voxel's signal, (0, 1] inside, 0 outside.
    """
    axes = anatomy.pose.grid.axes
    border = np.clip(1 + np.float32(0.12) * smooth_noise(generator, 5.0, axes), *_BORDER)
    tissue = anatomy.brain & (anatomy.fluid < 0.5)
    indices = np.zeros(anatomy.brain.shape, dtype=np.uint8)
    weight = np.zeros(anatomy.brain.shape, dtype=np.float32)
    for index, plaque in enumerate(plaques, start=1):
        near = around(axes, plaque.centre, plaque.reach)
        part = (axes[0][near[0]], axes[1][near[1]], axes[2][near[2]])
        depth = np.float32(plaque.radius) * border[near] - distance_from(
            part, plaque.centre, plaque.axes
        )
        inside = tissue[near] & (depth > 0)
        indices[near][inside] = index
        weight[near][inside] = ramp(depth[inside], 1.2)
        middle = tuple(
            int(np.abs(axis - at).argmin()) for axis, at in zip(axes, plaque.centre, strict=True)
        )
        indices[middle] = index
        weight[middle] = 1.0
    return indices, weight
