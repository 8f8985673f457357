"""Affine registration of a brain to a template, and resampling onto the template's grid.

Mattes' mutual information (Mattes et al., "PET-CT image registration in the chest using free-form deformations",
IEEE TMI 22, 2003) as SimpleITK computes it, coarse to fine, from the best of many starts. One thread and fixed
samples: the same two images give the same transform to the last bit, whatever else the machine does. Many
subjects at once are many processes.

Coordinates are those of NIfTI (RAS, mm) everywhere outside this module; ITK's own (LPS) never leave it.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.geometry import bounding_box, voxel_sizes
from datasets.prepare.register.registration_template import RegistrationTemplate
from datasets.scans.brain import brain_of

if TYPE_CHECKING:
    import SimpleITK as sitk

BINS = 50
"""Of the joint histogram, along either axis: SimpleITK's own choice, and a little better here than 32."""
START_ANGLES = (-30.0, 0.0, 30.0)
"""Degrees about each axis that are tried as starts, in all 27 combinations."""
START_SPACING = 8.0
"""Voxel edge, mm, at which starts are compared."""
KEPT_STARTS = 4
"""The best of them, which are followed for a while before one is chosen."""
LEVELS = ((4.0, 1.0), (2.0, 0.25))
"""Voxel edge, mm, and share of voxels sampled, of the levels at which the affine transform is fitted."""
SEED = 20260
MARGIN_MM = 6.0
"""The samples reach this far beyond the template's brain: the skull-stripped edge says where the brain ends."""

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Registration:
    """Where a scan lies in the template.

    Parameters
    ----------
    to_template : float64 (4, 4)
        From the scan's world to the template's world (both RAS), mm.
    metric_before, metric_after : float
        Mutual information (nats, higher is better) with the two worlds taken as one, and as registered.
    dice_before, dice_after : float
        Overlap of the brain masks on the template's grid, 0 .. 1.
    """

    to_template: NDArray[np.float64]
    metric_before: float
    metric_after: float
    dice_before: float
    dice_after: float


def register_affine(
    values: NDArray[Any], affine: NDArray[np.float64], template: RegistrationTemplate
) -> Registration:
    """Register a skull-stripped T1 to a template by an affine transform.

    Parameters
    ----------
    values : (X, Y, Z) array
        Intensities, finite; 0 outside the brain or nearly so.
    affine : float64 (4, 4)
        Voxel to world (RAS), mm; may be oblique or sheared.
    template : RegistrationTemplate
        Target.

    Returns
    -------
    Registration

    Raises
    ------
    UserError
        When the scan holds no brain, or nothing of it can be brought over the template.
    """
    brain = brain_of(affine, values)
    if not brain.any():
        raise UserError("no voxel above 0: a skull-stripped T1 wanted")
    return _Fit(values, affine, brain, template).run()


class _Pyramid:
    """A brain at several resolutions, cropped to its surroundings.

    Parameters
    ----------
    values : (X, Y, Z) array
        Intensities.
    brain : bool (X, Y, Z)
        Brain mask; what lies outside becomes 0.
    affine : float64 (4, 4)
        Voxel to world (RAS), mm, without shear.
    margin : float
        Surroundings that are kept, mm.
    """

    def __init__(
        self,
        values: NDArray[Any],
        brain: NDArray[np.bool_],
        affine: NDArray[np.float64],
        margin: float,
    ) -> None:
        edges = np.array(voxel_sizes(affine))
        pad = [math.ceil(margin / edge) for edge in edges]
        box = bounding_box(brain)
        brain, values = brain[box], values[box]
        # The brightest and darkest specks would waste the joint histogram.
        low, high = np.quantile(values[brain], (0.005, 0.995))
        inside = np.where(brain, np.clip(values, max(0.0, float(low)), float(high)), 0)
        origin = np.eye(4)
        origin[:3, 3] = [part.start - p for part, p in zip(box, pad, strict=True)]
        around = [(p, p) for p in pad]
        self._image = _image(np.pad(inside.astype(np.float32), around), affine @ origin)
        self._brain = _image(np.pad(brain.astype(np.float32), around), affine @ origin)
        self._images: dict[float, sitk.Image] = {}
        self._masks: dict[float, sitk.Image] = {}

    def image(self, spacing: float) -> sitk.Image:
        """Return the image with voxels of about ``spacing`` mm, each the mean of those it covers."""
        if spacing not in self._images:
            self._images[spacing] = _binned(self._image, spacing)
        return self._images[spacing]

    def mask(self, spacing: float) -> sitk.Image:
        """Return where samples are taken: the brain, and :data:`MARGIN_MM` around it."""
        if spacing not in self._masks:
            import SimpleITK as sitk

            brain = _binned(self._brain, spacing) > 0.5
            reach = [max(1, round(MARGIN_MM / edge)) for edge in brain.GetSpacing()]
            self._masks[spacing] = sitk.BinaryDilate(brain, reach, sitk.sitkBall)
        return self._masks[spacing]


@lru_cache(maxsize=2)
def _template_pyramid(template: RegistrationTemplate) -> _Pyramid:
    return _Pyramid(template.values, template.brain, template.affine, MARGIN_MM + 2)


class _Fit:
    """One registration. Transforms run from the template's world to the scan's, as ITK has them."""

    def __init__(
        self,
        values: NDArray[Any],
        affine: NDArray[np.float64],
        brain: NDArray[np.bool_],
        template: RegistrationTemplate,
    ) -> None:
        self.affine, self.brain, self.template = affine, brain, template
        # ITK knows no sheared grids: such a scan is registered on the nearest grid without shear.
        self.straight = _straight(affine)
        self.fixed = _template_pyramid(template)
        self.moving = _Pyramid(values, brain, self.straight, 20.0)

    def run(self) -> Registration:
        import SimpleITK as sitk

        best = min((self._follow(start) for start in self._starts()), key=lambda pair: pair[0])[1]
        transform = sitk.AffineTransform(3)
        transform.SetCenter(best.GetCenter())
        transform.SetMatrix(best.GetMatrix())
        transform.SetTranslation(best.GetTranslation())
        for spacing, share in LEVELS:
            self._optimise(transform, spacing, share, iterations=200)
        sheared = self.affine @ np.linalg.inv(self.straight)
        to_scan = sheared @ _LPS @ _matrix_of(transform) @ _LPS
        to_template = np.linalg.inv(to_scan).astype(np.float64)
        unmoved = sitk.AffineTransform(3)
        unsheared = _LPS @ np.linalg.inv(sheared) @ _LPS
        unmoved.SetMatrix(unsheared[:3, :3].ravel().tolist())
        unmoved.SetTranslation(unsheared[:3, 3].tolist())
        spacing = LEVELS[-1][0]
        return Registration(
            to_template=to_template,
            metric_before=-self._metric(unmoved, spacing),
            metric_after=-self._metric(transform, spacing),
            dice_before=self._overlap(np.eye(4)),
            dice_after=self._overlap(to_template),
        )

    def _starts(self) -> list[sitk.Similarity3DTransform]:
        """Return the best of the starts: centres and sizes of the brains matched, turned by each angle."""
        import SimpleITK as sitk

        centre = _centre(self.template.brain, self.template.affine)
        target = _centre(self.brain, self.straight)
        volume, wanted = (
            float(mask.sum()) * abs(np.linalg.det(grid[:3, :3]))
            for mask, grid in (
                (self.brain, self.straight),
                (self.template.brain, self.template.affine),
            )
        )
        scale = float(np.clip((volume / wanted) ** (1 / 3), 0.7, 1.4))
        found = []
        for angles in itertools.product(START_ANGLES, repeat=3):
            turn = sitk.Euler3DTransform((0.0, 0.0, 0.0), *(math.radians(a) for a in angles))
            start = sitk.Similarity3DTransform()
            start.SetCenter(centre.tolist())
            start.SetMatrix((scale * np.array(turn.GetMatrix())).tolist())
            start.SetTranslation((target - centre).tolist())
            found.append((self._metric(start, START_SPACING), start))
        found.sort(key=lambda pair: pair[0])
        return [start for _, start in found[:KEPT_STARTS]]

    def _follow(
        self, start: sitk.Similarity3DTransform
    ) -> tuple[float, sitk.Similarity3DTransform]:
        self._optimise(start, START_SPACING, 1.0, iterations=60)
        return self._metric(start, START_SPACING), start

    def _method(self, spacing: float, share: float) -> sitk.ImageRegistrationMethod:
        import SimpleITK as sitk

        method = sitk.ImageRegistrationMethod()
        method.SetNumberOfThreads(1)
        method.SetNumberOfWorkUnits(1)
        method.SetMetricAsMattesMutualInformation(BINS)
        if share < 1:
            method.SetMetricSamplingStrategy(method.RANDOM)
            method.SetMetricSamplingPercentage(share, SEED)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetMetricFixedMask(self.fixed.mask(spacing))
        return method

    def _metric(self, transform: sitk.Transform, spacing: float) -> float:
        """Return the negative mutual information over all samples; 0 where none lies inside the scan."""
        method = self._method(spacing, 1.0)
        method.SetInitialTransform(transform, inPlace=False)
        try:
            return float(
                method.MetricEvaluate(self.fixed.image(spacing), self.moving.image(spacing))
            )
        except RuntimeError:
            return 0.0

    def _optimise(
        self, transform: sitk.Transform, spacing: float, share: float, iterations: int
    ) -> None:
        method = self._method(spacing, share)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=spacing,
            minStep=spacing / 400,
            numberOfIterations=iterations,
            relaxationFactor=0.6,
            gradientMagnitudeTolerance=1e-6,
        )
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetInitialTransform(transform, inPlace=True)
        try:
            method.Execute(self.fixed.image(spacing), self.moving.image(spacing))
        except RuntimeError as error:
            raise UserError(
                "it could not be brought over the template: is it a skull-stripped T1?"
            ) from error

    def _overlap(self, to_template: NDArray[np.float64]) -> float:
        moved = resample(self.brain, self.affine, to_template, self.template, nearest=True)
        both = np.count_nonzero(moved & self.template.brain)
        return 2 * both / (np.count_nonzero(moved) + np.count_nonzero(self.template.brain))


def resample(
    values: NDArray[Any],
    affine: NDArray[np.float64],
    to_template: NDArray[np.float64],
    template: RegistrationTemplate,
    *,
    nearest: bool = False,
) -> NDArray[Any]:
    """Bring a scan or a mask onto the template's grid in one interpolation; see :func:`resample_to`."""
    return resample_to(
        values, affine, to_template, template.values.shape, template.affine, nearest=nearest
    )


def resample_to(
    values: NDArray[Any],
    affine: NDArray[np.float64],
    to_target: NDArray[np.float64],
    shape: tuple[int, ...],
    target: NDArray[np.float64],
    *,
    nearest: bool = False,
) -> NDArray[Any]:
    """Bring an array from one grid to another, through an affine transform between their worlds.

    Parameters
    ----------
    values : (X, Y, Z) array
        On a grid of ``affine``.
    affine, target : float64 (4, 4)
        Voxel to world (RAS), mm, of the array's grid and of the grid wanted; any affine, sheared ones too.
    to_target : float64 (4, 4)
        From the array's world to the target's.
    shape : (int, int, int)
        Of the grid wanted.
    nearest : bool
        Nearest neighbour (masks, labels), and the type is kept; else linear, and float32.

    Returns
    -------
    (X', Y', Z') array
        In Fortran order; 0 where the array does not reach.
    """
    import SimpleITK as sitk

    # Between voxel numbers, so that ITK need not know of either grid.
    matrix = np.linalg.inv(affine) @ np.linalg.inv(to_target) @ target
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    kind = np.dtype(values.dtype if nearest else np.float32)
    stored = np.dtype(np.uint8) if kind.kind == "b" else kind
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T, dtype=stored))
    method = sitk.ResampleImageFilter()
    method.SetNumberOfThreads(1)
    method.SetSize([int(n) for n in shape])
    method.SetTransform(transform)
    method.SetInterpolator(sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear)
    moved: NDArray[Any] = sitk.GetArrayFromImage(method.Execute(image)).T
    return moved.astype(kind, copy=False)


def _image(values: NDArray[Any], affine: NDArray[np.float64]) -> sitk.Image:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T))
    world = _LPS @ affine
    edges = np.array(voxel_sizes(world))
    image.SetOrigin(world[:3, 3].tolist())
    image.SetSpacing(edges.tolist())
    image.SetDirection((world[:3, :3] / edges).ravel().tolist())
    return image


def _straight(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nearest affine whose axes are orthogonal, with the same edges and the same first voxel."""
    edges = np.array(voxel_sizes(affine))
    left, _, right = np.linalg.svd(affine[:3, :3] / edges)
    out = affine.copy()
    out[:3, :3] = (left @ right) * edges
    return out


def _binned(image: sitk.Image, spacing: float) -> sitk.Image:
    import SimpleITK as sitk

    factors = [max(1, round(spacing / edge)) for edge in image.GetSpacing()]
    return sitk.BinShrink(image, factors)


def _matrix_of(transform: sitk.AffineTransform) -> NDArray[np.float64]:
    matrix = np.eye(4)
    centre = np.array(transform.GetCenter())
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    matrix[:3, 3] = centre + np.array(transform.GetTranslation()) - matrix[:3, :3] @ centre
    return matrix


def _centre(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the middle of a mask in ITK's world (LPS), mm."""
    voxels = [
        float((mask.sum(axis=tuple(k for k in range(3) if k != axis)) * np.arange(n)).sum())
        for axis, n in enumerate(mask.shape)
    ]
    place = np.array([*(v / mask.sum() for v in voxels), 1.0])
    return np.asarray((_LPS @ affine @ place)[:3])
