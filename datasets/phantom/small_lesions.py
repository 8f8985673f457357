"""Small lesions of several kinds that brightness alone does not find: see :data:`LABELS`.

Each subject carries two to four of them, of kinds of its own. Two change the anatomy and not an intensity: a lateral
ventricle that is wider than the other, and a wasted piece of cortex.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.anatomy import Anatomy, MassEffect, Pose
from datasets.phantom.noise import smooth_noise
from datasets.phantom.painting import Look, bounded, distance_from, ellipsoid, levels, ramp
from datasets.phantom.template import Template

LABELS = {
    "lacune": 1,
    "metastasis": 2,
    "cyst": 3,
    "mass": 4,
    "atrophy": 5,
    "asymmetry": 6,
}
"""Label of each kind: a small cavity in deep tissue; a nodule that takes up contrast agent, without oedema; a
FLAIR-dark cavity in the hemispheres; a mass as bright as grey matter, which pushes tissue aside; a wasted piece of
cortex, whose new fluid is marked; one lateral ventricle wider than the other, whose new fluid is marked. Tissue that is
pushed aside is marked nowhere."""
CHANGED = 0.2
"""Where the share of fluid rises by so much, a change of anatomy is marked."""


@dataclass(frozen=True)
class Spot:
    """A small ellipsoid.

    Parameters
    ----------
    kind : str
        One of :data:`LABELS`.
    centre : float64 (3,)
        mm from the grid's middle.
    radius : float
        Mean radius, mm.
    axes : float64 (3, 3)
        Linear map that makes the ellipsoid a sphere.
    look : Look
        Its intensities.
    shell : Look or None
        Those of its outer :attr:`thickness` mm, where they differ.
    thickness : float
        Of the shell, mm.
    """

    kind: str
    centre: NDArray[np.float64]
    radius: float
    axes: NDArray[np.float64]
    look: Look
    shell: Look | None = None
    thickness: float = 0.0


@dataclass(frozen=True)
class Wasting:
    """A piece of cortex with wider sulci.

    Parameters
    ----------
    centre : float64 (3,)
        mm from the grid's middle.
    radius : float
        Where it has faded out, mm.
    loss : float
        Share of the tissue near sulci that has become fluid.
    """

    centre: NDArray[np.float64]
    radius: float
    loss: float


@dataclass(frozen=True)
class SmallLesions:
    """What one subject carries.

    Parameters
    ----------
    spots : tuple of Spot
        Lacunes, metastases, cysts, masses.
    push : MassEffect or None
        Of the mass, where there is one.
    wasting : Wasting or None
        Focal atrophy.
    wider : (int, float) or None
        Side (0: left, 1: right) and amount by which a lateral ventricle is wider.
    """

    spots: tuple[Spot, ...]
    push: MassEffect | None
    wasting: Wasting | None
    wider: tuple[int, float] | None


_DEEP = {"white_exact": (90, 255), "from_surface": (levels(22), 255), "from_ventricle": (levels(3), levels(20))}  # fmt: skip
_SITES: dict[str, dict[str, tuple[int, int]]] = {
    "lacune": _DEEP,
    "metastasis": {"white_exact": (90, 200), "from_surface": (levels(5), levels(18))},
    "cyst": {"white_exact": (150, 255), "from_surface": (levels(10), 255), "from_ventricle": (levels(8), 255)},
    "mass": {"grey": (100, 255), "from_surface": (levels(6), levels(14))},
    "atrophy": {"grey": (100, 255), "from_surface": (levels(3), levels(9))},
}  # fmt: skip


def draw_small_lesions(
    generator: np.random.Generator, template: Template, pose: Pose
) -> SmallLesions:
    """Draw two to four kinds, each in a place of its own.

    Parameters
    ----------
    generator, template, pose
        As for :func:`datasets.phantom.gliomas.draw_glioma`.
    """
    kinds = generator.permutation(list(LABELS))[: generator.integers(2, 5)]
    spots: list[Spot] = []
    push, wasting, wider = None, None, None
    for kind in map(str, kinds):
        if kind == "asymmetry":
            wider = (int(generator.integers(2)), float(generator.uniform(0.25, 0.5)))
            continue
        several = int(generator.integers(1, 5)) if kind in ("lacune", "metastasis") else 1
        for _ in range(several):
            centre = _place(generator, kind, template, pose, spots)
            if kind == "atrophy":
                wasting = Wasting(centre, float(generator.uniform(16, 26)), float(generator.uniform(0.6, 0.9)))  # fmt: skip
            else:
                spots.append(_spot(generator, kind, centre))
        if kind == "mass":
            mass = spots[-1]
            push = MassEffect(mass.centre, mass.radius, generator.uniform(0.3, 0.6) * mass.radius)
    return SmallLesions(tuple(spots), push, wasting, wider)


def _place(
    generator: np.random.Generator, kind: str, template: Template, pose: Pose, others: list[Spot]
) -> NDArray[np.float64]:
    sites = template.sites(**_SITES[kind])
    x, _, z = sites.T
    sites = sites[(np.abs(x) > 8) & (z > -22)]
    for _ in range(200):
        centre = pose.nearest(sites[generator.integers(len(sites))])
        gaps = [np.linalg.norm(centre - o.centre) - o.radius for o in others]
        if min(gaps, default=99.0) > 20.0:
            break
    return centre


def _spot(generator: np.random.Generator, kind: str, centre: NDArray[np.float64]) -> Spot:
    draw = generator.uniform
    axes = ellipsoid(generator, 0.15)
    if kind == "lacune":
        look = Look(draw(0.45, 0.80), draw(0.45, 0.70), draw(0.45, 0.70), draw(1.6, 2.3))
        # every second one has the bright rim that textbooks show
        shell = Look(draw(1.15, 1.35), 0.85, 0.85, 1.5) if generator.random() < 0.5 else None
        return Spot(kind, centre, float(draw(2.5, 6.0)), axes, look, shell, 1.5)
    if kind == "metastasis":
        glow = bounded(generator, 1.35, 0.12, 1.15, 1.7)
        flair, t1, t2 = draw(0.95, 1.12), draw(0.82, 0.98), draw(1.0, 1.35)
        look = Look(flair, t1, glow, t2)
        ring = generator.random() < 0.4
        middle = Look(flair * 0.9, t1 * 0.85, t1 * 0.85, t2 * 1.3) if ring else look
        return Spot(kind, centre, float(draw(3.0, 7.5)), axes, middle, look if ring else None, 2.5)
    if kind == "cyst":
        look = Look(draw(0.35, 0.75), draw(0.35, 0.60), draw(0.35, 0.60), draw(1.9, 2.6))
        return Spot(kind, centre, float(draw(5.0, 11.0)), axes, look)
    look = Look(draw(0.95, 1.12), draw(0.80, 0.92), draw(0.85, 1.05), draw(1.1, 1.4))
    return Spot(kind, centre, float(draw(9.0, 15.0)), axes, look)


def spot_labels(
    lesions: SmallLesions, anatomy: Anatomy, generator: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32], dict[int, Look]]:
    """Mark the spots; each part of one that has a look of its own gets an index.

    Returns
    -------
    indices : uint8 (X, Y, Z)
        2 k + 1 in the middle of spot k, 2 k + 2 in its shell, 0 elsewhere.
    weight : float32 (X, Y, Z)
        Share of lesion in each voxel's signal, (0, 1] inside, 0 outside.
    looks : dict of Look
        By index.
    """
    axes = anatomy.pose.grid.axes
    border = np.clip(1 + np.float32(0.10) * smooth_noise(generator, 6.0, axes), 0.8, 1.2)
    indices = np.zeros(anatomy.brain.shape, dtype=np.uint8)
    weight = np.zeros(anatomy.brain.shape, dtype=np.float32)
    looks: dict[int, Look] = {}
    for k, spot in enumerate(lesions.spots):
        depth = np.float32(spot.radius) * border - distance_from(axes, spot.centre, spot.axes)
        inside = anatomy.brain & (depth > 0) & (anatomy.ventricle < 0.4) & (anatomy.depth > 1.5)
        indices[inside] = 2 * k + 1
        looks[2 * k + 1] = spot.look
        if spot.shell is not None:
            indices[inside & (depth < spot.thickness)] = 2 * k + 2
            looks[2 * k + 2] = spot.shell
        weight[inside] = ramp(depth[inside], 1.5)
    return indices, weight, looks


def spot_kinds(lesions: SmallLesions, indices: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the label of its kind for every voxel of a spot, uint8 (X, Y, Z)."""
    lookup = np.zeros(256, dtype=np.uint8)
    for k, spot in enumerate(lesions.spots):
        lookup[2 * k + 1 : 2 * k + 3] = LABELS[spot.kind]
    return lookup[indices]


def wasted(wasting: Wasting, anatomy: Anatomy) -> tuple[Anatomy, NDArray[np.bool_]]:
    """Return an anatomy with focal atrophy, and where its fluid rose by :data:`CHANGED` or more.

    Elsewhere it is the one that was given: what is not marked has not changed.
    """
    distance = distance_from(anatomy.pose.grid.axes, wasting.centre, np.eye(3))
    amount = np.float32(wasting.loss) * np.clip(2 - 2 * distance / np.float32(wasting.radius), 0, 1)
    near = np.clip(3.5 * anatomy.fluid + np.clip((5 - anatomy.from_surface) / 4, 0, 1), 0, 1)
    gain = amount * near * (1 - anatomy.fluid)
    marked = (gain >= CHANGED) & anatomy.brain & (anatomy.depth > 1.5)
    gain = np.where(marked, gain, 0)
    kept = (1 - gain / np.maximum(1 - anatomy.fluid, 1e-6)).astype(np.float32)
    changed = replace(
        anatomy,
        fluid=anatomy.fluid + gain,
        grey=anatomy.grey * kept,
        white=anatomy.white * kept,
    )
    return changed, marked


def ventricle_gained(before: Anatomy, after: Anatomy, side: int) -> NDArray[np.bool_]:
    """Return where tissue of a side became ventricle, bool (X, Y, Z); what was pushed aside does not count."""
    x = after.pose.places[0]
    gained = (x > 0) if side else (x < 0)
    gained &= after.ventricle - before.ventricle > CHANGED
    return gained & (after.fluid - before.fluid > CHANGED) & after.brain
