"""Healthy anatomy of the phantom's subjects: the ICBM template, moved and warped into each subject."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.phantom.noise import Axes, smooth_noise
from datasets.phantom.template import DISTANCE_STEP, Template

FIELD_OF_VIEW = (240.0, 240.0, 155.0)
"""Extent of every phantom scan, mm: that of BraTS."""
_CENTRE = (-119.5, 119.5, 77.0)  # world coordinates of the middle of the BraTS grid, mm
_TEMPLATE_CENTRE = np.array([0.0, -17.0, 4.0])  # the brain's middle in MNI space, mm
_REACH = (84.0, 102.0, 77.5)  # no subject's brain leaves this box around the grid's middle, mm
_WARPS = ((45.0, 2.8), (15.0, 1.3), (8.0, 0.6))
"""Lattice and standard deviation of the smooth warps along each axis, mm."""
_LATERAL_VENTRICLES = np.array([[-14.0, -14.0, 18.0], [14.0, -14.0, 18.0]])  # MNI, mm


@dataclass(frozen=True)
class Grid:
    """Voxel grid of a phantom scan: the BraTS field of view and orientation at any spacing.

    Parameters
    ----------
    spacing : float
        Edge of a voxel, mm. 1 gives BraTS's own 240 x 240 x 155.
    """

    spacing: float

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(X, Y, Z) in voxels."""
        x, y, z = (round(extent / self.spacing) for extent in FIELD_OF_VIEW)
        return x, y, z

    @cached_property
    def affine(self) -> NDArray[np.float64]:
        """Voxel to world, mm, (4, 4): diag(-s, -s, s), first two axes towards left and posterior."""
        signs = np.array([-1.0, -1.0, 1.0])
        half = self.spacing * (np.array(self.shape) - 1) / 2
        affine = np.diag([*(signs * self.spacing), 1.0])
        affine[:3, 3] = np.array(_CENTRE) - signs * half
        return affine

    @cached_property
    def box(self) -> tuple[slice, slice, slice]:
        """Part of the grid that can hold brain, voxels."""
        out = []
        for n, reach in zip(self.shape, _REACH, strict=True):
            margin = max(0, math.floor(n / 2 - reach / self.spacing))
            out.append(slice(margin, n - margin))
        x, y, z = out
        return x, y, z

    @cached_property
    def axes(self) -> Axes:
        """Coordinates of the voxel centres of ``box`` along right, anterior, superior, mm from the middle."""
        x, y, z = (
            sign * self.spacing * (np.arange(part.start, part.stop) - (n - 1) / 2)
            for sign, n, part in zip((-1, -1, 1), self.shape, self.box, strict=True)
        )
        return x, y, z


@dataclass(frozen=True)
class MassEffect:
    """Tissue pushed away from a growing tumour.

    Parameters
    ----------
    centre : float64 (3,)
        Middle of the tumour, mm from the grid's middle.
    radius : float
        Radius of the tumour's core, mm.
    shift : float
        Largest displacement, reached at the core's edge, mm.
    """

    centre: NDArray[np.float64]
    radius: float
    shift: float

    def displacement(self, axes: Axes) -> list[NDArray[np.float32]]:
        """Return where each voxel's tissue came from, less where it is: three (X, Y, Z), mm."""
        offsets = [
            (axis - middle).astype(np.float32)
            for axis, middle in zip(axes, self.centre, strict=True)
        ]
        x, y, z = np.ix_(*offsets)
        distance = np.sqrt(x**2 + y**2 + z**2)
        push = self.shift * np.exp(-np.maximum(distance - self.radius, 0) / 18.0)
        scale = -push / np.maximum(distance, self.radius)
        return [scale * x, scale * y, scale * z]


@dataclass(frozen=True)
class Pose:
    """Where each voxel of a subject's grid lies in the template.

    Parameters
    ----------
    places : tuple of three float32 (X, Y, Z)
        MNI coordinates, mm, of the voxels of the grid's box.
    grid : Grid
        The subject's grid.
    matrix : float64 (3, 3)
        Linear part, subject to template.
    """

    places: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
    grid: Grid
    matrix: NDArray[np.float64]

    def nearest(self, place: NDArray[np.float64]) -> NDArray[np.float64]:
        """Find the point of the subject, mm from the grid's middle, that shows a place of the template."""
        step = max(1, round(2.5 / self.grid.spacing))
        coarse = tuple(slice(step // 2, None, step) for _ in range(3))
        x, y, z = (
            part[coarse] - np.float32(at) for part, at in zip(self.places, place, strict=True)
        )
        distance = x * x
        distance += y * y
        distance += z * z
        found = np.unravel_index(int(distance.argmin()), distance.shape)
        return np.array(
            [axis[coarse[0]][index] for axis, index in zip(self.grid.axes, found, strict=True)]
        )

    def pushed(self, effect: MassEffect) -> Pose:
        """Return the pose with a tumour's mass effect."""
        shifts = effect.displacement(self.grid.axes)
        places = [
            part + sum(np.float32(self.matrix[row, k]) * shifts[k] for k in range(3))
            for row, part in enumerate(self.places)
        ]
        return Pose((places[0], places[1], places[2]), self.grid, self.matrix)

    def widened(self, side: int, amount: float) -> Pose:
        """Return the pose with one lateral ventricle (0: left, 1: right) wider, by a share of its width."""
        offsets = [
            part - np.float32(at)
            for part, at in zip(self.places, _LATERAL_VENTRICLES[side], strict=True)
        ]
        near = np.exp(-sum(o * o for o in offsets) / np.float32(2 * 20.0**2))
        towards = np.float32(0.2 if side else -0.2)
        near /= 1 + np.exp(-towards * self.places[0])  # fades out at the midline
        x, y, z = (
            part - np.float32(amount) * near * o
            for part, o in zip(self.places, offsets, strict=True)
        )
        return Pose((x, y, z), self.grid, self.matrix)


def draw_pose(generator: np.random.Generator, grid: Grid, atrophy: float) -> Pose:
    """Draw a subject's place, size and shape.

    Parameters
    ----------
    generator : numpy Generator
        Stream for this purpose; the numbers drawn do not depend on the grid.
    grid : Grid
        Where the anatomy is wanted.
    atrophy : float
        -1 (young) .. 1 (old): narrower or wider ventricles.

    Returns
    -------
    Pose
        Random affine (rotation 1.5 degrees, size 0.94, 2.2 % in all and 1.8 % per axis, shift 1.2 mm; standard deviations),
        smooth warps (:data:`_WARPS`), ventricles of a size of their own, not quite the same on both sides.
    """
    angles = np.deg2rad(np.clip(generator.normal(0, 1.5, 3), -5, 5))
    size = np.clip(
        0.94 * (1 + generator.normal(0, 0.022)) + generator.normal(0, 0.018, 3), 0.84, 1.0
    )
    shift = np.clip(generator.normal(0, 1.2, 3), -4, 4) * (1, 1, 0.5)
    matrix = _rotation(angles) @ np.diag(1 / size)

    x, y, z = np.ix_(*(axis.astype(np.float32) for axis in grid.axes))
    moved = [
        part
        + sum(
            np.float32(amount) * smooth_noise(generator, length, grid.axes)
            for length, amount in _WARPS
        )
        - np.float32(offset)
        for part, offset in zip((x, y, z), shift, strict=True)
    ]
    coefficients = matrix.astype(np.float32)
    places: list[NDArray[np.float32]] = []
    for row, offset in zip(coefficients, _TEMPLATE_CENTRE, strict=True):
        x, y, z = (weight * part for weight, part in zip(row, moved, strict=True))
        places.append(x + y + z + np.float32(offset))
    pose = Pose((places[0], places[1], places[2]), grid, matrix)
    common = 0.16 * atrophy + generator.normal(0.04, 0.12)
    for side in (0, 1):
        pose = pose.widened(side, float(np.clip(common + generator.normal(0, 0.03), -0.3, 0.45)))
    return pose


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = math.cos(angle)
        turn[a, b], turn[b, a] = -math.sin(angle), math.sin(angle)
        out = turn @ out
    return out


@dataclass(frozen=True)
class Anatomy:
    """A subject's healthy tissues, on the box of its grid.

    Parameters
    ----------
    brain : bool (X, Y, Z)
        Brain mask, cerebrospinal fluid included.
    fluid, grey, white : float32 (X, Y, Z)
        Tissue fractions; they sum to 1 inside the brain.
    ventricle : float32 (X, Y, Z)
        Fraction of ventricular fluid.
    texture : float32 (X, Y, Z)
        T1 intensity of the template that the tissues do not explain, in units of its range.
    from_ventricle, from_surface : float32 (X, Y, Z)
        Distances in the template, mm, at most 63.75.
    depth : float32 (X, Y, Z)
        Distance from the edge of the brain mask, mm, positive inside.
    residue : float32 (X, Y, Z)
        Share of what skull-stripping left: 0 in the brain, 1 from 2 mm outside it on.
    pose : Pose
        Where the voxels lie in the template.
    """

    brain: NDArray[np.bool_]
    fluid: NDArray[np.float32]
    grey: NDArray[np.float32]
    white: NDArray[np.float32]
    ventricle: NDArray[np.float32]
    texture: NDArray[np.float32]
    from_ventricle: NDArray[np.float32]
    from_surface: NDArray[np.float32]
    depth: NDArray[np.float32]
    residue: NDArray[np.float32]
    pose: Pose


def _largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def sample_anatomy(
    template: Template, pose: Pose, atrophy: float, generator: np.random.Generator
) -> Anatomy:
    """Read a subject's tissues out of the template, and give it gyri and a brain mask of its own.

    Parameters
    ----------
    template : Template
        Smoothed for the subject's voxels.
    pose : Pose
        The subject's place and shape.
    atrophy : float
        -1 .. 1: less or more fluid in the sulci.
    generator : numpy Generator
        Stream for this purpose.
    """
    found = _maps_at(template, pose)
    step = np.float32(DISTANCE_STEP)
    from_surface, outside = found["from_surface"] * step, found["outside"] * step
    depth = from_surface - outside - _stripping(pose.grid, generator)
    brain = _largest_part(depth > 0)
    # The template averages 152 people; raising the fractions to a power gives back the sharp
    # borders of one person's tissues.
    sulci = np.exp(
        np.float32(0.25 * atrophy + generator.normal(0, 0.2))
        + np.float32(0.25) * smooth_noise(generator, 30.0, pose.grid.axes)
    )
    ventricle = found["ventricle"] / np.float32(255)
    fluid = np.clip(255 - found["grey"] - found["white"], 0, 255) / 255
    fluid = ventricle + np.clip(fluid - ventricle, 0, 1) * sulci
    fluid, grey, white = (
        (np.clip(part, 0, 1) + 1e-3) ** np.float32(1.5)
        for part in (fluid, found["grey"] / 255, found["white"] / 255)
    )
    total = fluid + grey + white
    fluid, grey, white = _folded(
        (fluid / total, grey / total, white / total), from_surface, found["from_ventricle"] * step,
        pose.grid, generator,
    )  # fmt: skip
    return Anatomy(
        brain=brain,
        fluid=fluid,
        grey=grey,
        white=white,
        ventricle=ventricle,
        texture=np.where(outside < 1, (found["texture"] - 128) / 255, 0).astype(np.float32),
        from_ventricle=found["from_ventricle"] * step,
        from_surface=from_surface,
        depth=depth,
        residue=np.clip(outside / np.float32(2.0), 0, 1),
        pose=pose,
    )


def _maps_at(template: Template, pose: Pose) -> dict[str, NDArray[np.float32]]:
    """Read the template's maps at the places of a subject's voxels, by name, grey levels."""
    inverse = np.linalg.inv(template.affine)  # diagonal: the template's axes are the world's
    places = np.stack(
        [
            part * np.float32(inverse[k, k]) + np.float32(inverse[k, 3])
            for k, part in enumerate(pose.places)
        ]
    )
    return {
        name: ndimage.map_coordinates(
            values, places, output=np.float32, order=1, prefilter=False,
            cval=255 if name == "outside" else 0,
        )
        for name, values in template.maps.items()
        if name not in ("white_exact", "brain")
    }  # fmt: skip


def _stripping(grid: Grid, generator: np.random.Generator) -> NDArray[np.float32]:
    """Return how far inside the brain's true surface the mask's edge lies, mm: skull-stripping errs both ways."""
    common = np.float32(generator.normal(0.9, 0.3))
    level = common + np.float32(0.9) * smooth_noise(generator, 28.0, grid.axes)
    level += np.float32(0.5) * smooth_noise(generator, 10.0, grid.axes)
    return np.clip(level, -2.5, 3.0)


def _folded(
    tissues: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    from_surface: NDArray[np.float32],
    from_ventricle: NDArray[np.float32],
    grid: Grid,
    generator: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Give the cortex sulci of this person's own: sheets of fluid between two layers of grey matter.

    The template's average has lost them. The zero level of a random field is such a sheet.
    """
    fluid, grey, white = tissues
    field = np.abs(smooth_noise(generator, 10.0, grid.axes))
    cortex = np.clip((20.0 - from_surface) / 8.0, 0, 1) * np.clip(
        (from_ventricle - 8.0) / 6.0, 0, 1
    )
    # a sheet thinner than a voxel fills its share of it
    width = math.hypot(0.10, 0.03 * grid.spacing)
    thin, strength = np.float32(width), np.float32(min(1.0, 0.48 * 0.14 / width))
    sheet = strength * cortex * np.exp(-((field / thin) ** 2))
    layer = np.float32(0.42) * cortex * np.exp(-((field / np.float32(0.42)) ** 2))
    turned = layer * white
    grey, white = grey + turned, white - turned
    opened = sheet * (1 - fluid)
    kept = 1 - sheet
    return fluid + opened, grey * kept, white * kept
