"""Lesions of the phantom, with exact masks: gliomas and multiple-sclerosis plaques.

A lesion changes the intensities of the voxels that its mask marks and of no other. Near its border it is
blended with the healthy tissue on the inside, as partial volume does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.anatomy import Anatomy, MassEffect, Pose
from datasets.phantom.contrasts import Images, Scanner
from datasets.phantom.noise import Axes, smooth_noise
from datasets.phantom.template import DISTANCE_STEP, Template

NECROSIS, OEDEMA, ENHANCING = 1, 2, 4
"""BraTS labels: necrotic or non-enhancing tumour core, oedema, enhancing tumour."""
PLAQUE = 1
"""Label of a multiple-sclerosis lesion."""

_BORDER = (0.8, 1.2)  # bounds of a plaque's irregular border, relative to its radius
_ATTEMPTS = 5000  # at placing plaques apart from each other


@dataclass(frozen=True)
class Look:
    """Intensities of a kind of lesion tissue, relative to healthy white matter, by modality."""

    flair: float
    t1: float
    t1ce: float
    t2: float

    def of(self, modality: str) -> float:
        """Return the intensity in a modality."""
        return float(getattr(self, modality))


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
    axes : float64 (3, 3)
        Linear map that makes the tumour's ellipsoid a sphere.
    shift : float
        Mass effect, mm.
    looks : dict of Look
        By label.
    """

    centre: NDArray[np.float64]
    core: float
    oedema: float
    rim: float
    axes: NDArray[np.float64]
    shift: float
    looks: dict[int, Look]

    @property
    def mass_effect(self) -> MassEffect:
        """The displacement of the tissue around."""
        return MassEffect(self.centre, self.core, self.shift)


def _levels(millimetres: float) -> int:
    return round(millimetres / DISTANCE_STEP)


def draw_glioma(generator: np.random.Generator, template: Template, pose: Pose) -> Glioma:
    """Draw a tumour in the hemispheres: one in four takes up no contrast agent, one in five is dark on FLAIR.

    Parameters
    ----------
    generator : numpy Generator
        Stream for this purpose; the numbers drawn do not depend on the grid.
    template : Template
        Where white matter is.
    pose : Pose
        The subject before the tumour grew.
    """
    sites = template.sites(white_exact=(128, 255), from_surface=(_levels(6), 255))
    x, y, z = sites.T
    hemisphere = (np.abs(x) > 12) & ((z > 0) | ((z > -25) & (np.abs(x) > 25) & (y > -45)))
    sites = sites[hemisphere]
    centre = pose.nearest(sites[generator.integers(len(sites))])
    core = float(np.clip(np.exp(generator.normal(np.log(17.0), 0.27)), 9.0, 26.0))
    oedema = core + generator.uniform(6.0, 19.0)
    enhances, dark = generator.random() > 0.25, generator.random() < 0.2
    rim = generator.uniform(2.0, 3.5) if enhances else 0.0
    shift = generator.uniform(0.05, 0.3) * core
    stretch = np.exp(generator.normal(0, 0.2, 3))
    rotation, _ = np.linalg.qr(generator.standard_normal((3, 3)))
    axes = (rotation * (stretch / np.prod(stretch) ** (1 / 3))) @ rotation.T
    draw = generator.uniform
    looks = {
        OEDEMA: Look(
            flair=draw(0.70, 0.98) if dark else draw(1.45, 2.05),
            t1=draw(0.55, 0.78),
            t1ce=draw(0.55, 0.78),
            t2=draw(1.50, 2.10),
        ),
        NECROSIS: Look(
            flair=draw(0.60, 0.95) if dark else draw(0.75, 1.55),
            t1=draw(0.38, 0.62),
            t1ce=draw(0.38, 0.66),
            t2=draw(1.5, 2.5),
        ),
        ENHANCING: Look(
            flair=draw(0.80, 1.10) if dark else draw(1.25, 1.75),
            t1=draw(0.60, 0.90),
            t1ce=draw(1.40, 1.90),
            t2=draw(1.15, 1.75),
        ),
    }
    return Glioma(centre, core, oedema, rim, axes, shift, looks)


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
    distance = _distance(grid.axes, tumour.centre, tumour.axes)
    broad, fine = smooth_noise(generator, 15.0, grid.axes), smooth_noise(generator, 7.0, grid.axes)
    inner = smooth_noise(generator, 9.0, grid.axes)
    size = np.float32(tumour.core)
    core = size * (1 + np.float32(0.16) * broad + np.float32(0.08) * fine) - distance
    spread = np.float32(tumour.oedema) * (np.float32(0.76) + np.float32(0.28) * anatomy.white)
    oedema = spread + size * (np.float32(0.20) * broad + np.float32(0.07) * fine) - distance
    tissue = anatomy.brain & (anatomy.ventricle < 0.4)
    labels = np.zeros(anatomy.brain.shape, dtype=np.uint8)
    weight = np.zeros(anatomy.brain.shape, dtype=np.float32)

    swollen = tissue & (anatomy.fluid < 0.5) & ((oedema > 0) | (core > 0))
    labels[swollen] = OEDEMA
    weight[swollen] = _ramp(np.maximum(oedema, core)[swollen], 2.0)
    solid = tissue & (core > 0)
    labels[solid] = NECROSIS
    weight[solid] = 1.0
    if tumour.rim:
        thickness = np.float32(tumour.rim) * (1 + np.float32(0.25) * inner)
        labels[solid & (core < np.maximum(thickness, 2.0))] = ENHANCING
    return labels, weight


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
    """Draw 5 to 25 separate plaques, three in four of them beside the ventricles.

    Two plaques are never as near as two voxels, so that they are counted apart.

    Parameters
    ----------
    generator, template, pose
        As for :func:`draw_glioma`.
    """
    beside = template.sites(white_exact=(190, 255), from_ventricle=(_levels(1), _levels(9)))
    elsewhere = template.sites(
        white_exact=(190, 255), from_ventricle=(_levels(9) + 1, 255), from_surface=(_levels(4), 255)
    )
    beside = beside[beside[:, 2] > -5]
    elsewhere = elsewhere[elsewhere[:, 2] > -45]
    wanted = int(generator.integers(5, 26))
    gap = max(5.0, 2.0 * pose.grid.spacing)
    plaques: list[Plaque] = []
    for _ in range(_ATTEMPTS):
        sites = beside if generator.random() < 0.75 else elsewhere
        site = sites[generator.integers(len(sites))]
        radius = float(np.clip(np.exp(generator.normal(np.log(3.5), 0.4)), 2.0, 7.5))
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
    t1 = draw(0.55, 0.75) if black_hole else draw(0.78, 0.98)
    return Look(
        flair=draw(1.35, 1.90),
        t1=t1,
        t1ce=draw(1.3, 1.7) if active else t1,
        t2=draw(1.60, 2.40),
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
        near = _around(axes, plaque.centre, plaque.reach)
        part = (axes[0][near[0]], axes[1][near[1]], axes[2][near[2]])
        depth = np.float32(plaque.radius) * border[near] - _distance(
            part, plaque.centre, plaque.axes
        )
        inside = tissue[near] & (depth > 0)
        indices[near][inside] = index
        weight[near][inside] = _ramp(depth[inside], 1.2)
        middle = tuple(
            int(np.abs(axis - at).argmin()) for axis, at in zip(axes, plaque.centre, strict=True)
        )
        indices[middle] = index
        weight[middle] = 1.0
    return indices, weight


def _around(axes: Axes, centre: NDArray[np.float64], reach: float) -> tuple[slice, slice, slice]:
    parts = []
    for axis, at in zip(axes, centre, strict=True):
        inside = np.flatnonzero(np.abs(axis - at) <= max(reach, abs(axis[1] - axis[0])))
        parts.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return parts[0], parts[1], parts[2]


def _distance(
    axes: Axes, centre: NDArray[np.float64], linear: NDArray[np.float64]
) -> NDArray[np.float32]:
    x, y, z = np.ix_(
        *((axis - at).astype(np.float32) for axis, at in zip(axes, centre, strict=True))
    )
    total = np.zeros((x.size, y.size, z.size), dtype=np.float32)
    for row in linear.astype(np.float32):
        total += (row[0] * x + row[1] * y + row[2] * z) ** 2
    return np.sqrt(total)


def _ramp(depth: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    # Even the outermost voxel of a lesion is a third lesion: a mask marks nothing that is healthy.
    return np.clip(np.float32(1 / 3) + depth / np.float32(1.5 * width), 0, 1)


def paint(
    images: Images,
    labels: NDArray[np.uint8],
    weight: NDArray[np.float32],
    looks: dict[int, Look],
    anatomy: Anatomy,
    scanner: Scanner,
    generator: np.random.Generator,
) -> None:
    """Blend lesion tissue into healthy images, in place, where ``labels`` is not 0.

    Parameters
    ----------
    images : dict of float32 (X, Y, Z)
        By modality, relative to white matter.
    labels : uint8 (X, Y, Z)
        Which look each voxel takes.
    weight : float32 (X, Y, Z)
        Share of lesion.
    looks : dict of Look
        By label.
    anatomy : Anatomy
        Gives the grid.
    scanner : Scanner
        Scales T2, whose lesions lie between this scanner's white matter and fluid.
    generator : numpy Generator
        Stream of the lesion's own texture.
    """
    inside = labels > 0
    lookup = np.zeros(256, dtype=np.float32)
    share = weight[inside]
    for modality, image in images.items():
        grain = smooth_noise(generator, 4.5, anatomy.pose.grid.axes)
        cloud = smooth_noise(generator, 13.0, anatomy.pose.grid.axes)
        scale = scanner.contrasts["t2"].fluid / 2.4 if modality == "t2" else 1.0
        for label, look in looks.items():
            lookup[label] = look.of(modality) * scale
        mottled = 1 + np.float32(0.05) * grain[inside] + np.float32(0.07) * cloud[inside]
        target = lookup[labels[inside]] * mottled
        image[inside] += share * (target - image[inside])
