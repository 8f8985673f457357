import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy import ndimage

from datasets.volume import NativeGrid, Volume
from methods.base import ImageSpec, SliceBatch
from methods.baselines.voxel_statistics import VoxelStatistics, VoxelStatisticsConfig

EDGE, DEPTH = 16, 10
SPEC = ImageSpec(("flair", "t1"), (EDGE, EDGE))


class Context:
    """Stands in for the engine."""

    seed = 0
    device = torch.device("cpu")
    batch_size = 4

    def progress(self, slices):
        return slices

    def counted(self, differences: torch.Tensor) -> torch.Tensor:
        return differences.abs()

    def reduce(self, scores: torch.Tensor) -> torch.Tensor:
        return scores.amax(dim=1)


class Drawn:
    """Healthy slices of any number of subjects, drawn while they are read."""

    def __init__(self, subjects: int, depth: int = DEPTH, batch: int = 5, skip: int = -1) -> None:
        self.subjects, self.depth, self.batch, self.skip = subjects, depth, batch, skip

    def volume(self, k: int) -> np.ndarray:
        rng = np.random.default_rng(k)
        image = rng.normal(1, 0.2, (2, EDGE, EDGE, self.depth)) + np.arange(EDGE)[:, None, None]
        return np.where(box(self.depth), image, 0).astype(np.float32)

    def __iter__(self) -> Iterator[SliceBatch]:
        for k in range(self.subjects):
            image = self.volume(k)
            kept = [z for z in range(self.depth) if z != self.skip]
            for start in range(0, len(kept), self.batch):
                z = np.array(kept[start : start + self.batch])
                images = torch.from_numpy(image[..., z].transpose(3, 0, 1, 2).copy())
                yield SliceBatch(images, (f"s{k}",) * len(z), z, np.full(len(z), self.depth))


def box(depth: int = DEPTH, x: int = 3, y: int = 2, width: int = 10) -> np.ndarray:
    brain = np.zeros((EDGE, EDGE, depth), bool)
    brain[x : x + width, y : y + 12] = True
    return brain


def volume(image: np.ndarray, brain: np.ndarray, spacing: tuple[float, ...] = (1, 1, 1)) -> Volume:
    native = NativeGrid(
        brain.shape, np.eye(4), np.array([[0, 1], [1, 1], [2, 1]]), ((0, 0), (0, 0))
    )
    affine = np.diag([*spacing, 1.0])
    return Volume("x", image.astype(np.float32), brain, None, affine, native, ("flair", "t1"))


def fitted(slices: Drawn, **values: object) -> VoxelStatistics:
    out = VoxelStatistics(VoxelStatisticsConfig(**values), SPEC)
    out.fit(slices, Context())
    return out


def test_mean_and_deviation_are_those_of_numpy_over_the_subjects():
    slices = Drawn(7)
    found = fitted(slices)
    stack = np.stack([slices.volume(k) for k in range(7)]).astype(np.float64)
    assert found.average.numpy() == pytest.approx(stack.mean(0).transpose(3, 0, 1, 2), abs=1e-6)
    assert found.deviation.numpy() == pytest.approx(stack.std(0).transpose(3, 0, 1, 2), abs=1e-6)


def test_statistics_do_not_lose_digits_on_a_large_offset():
    class Offset(Drawn):
        def volume(self, k: int) -> np.ndarray:
            return np.where(box(), 4096 + super().volume(k), 0).astype(np.float32)

    slices = Offset(20)
    stack = np.stack([slices.volume(k) for k in range(20)]).astype(np.float64)
    wanted = stack.std(0).transpose(3, 0, 1, 2)
    assert fitted(slices).deviation.numpy() == pytest.approx(wanted, rel=1e-5, abs=1e-9)


def test_map_is_the_smoothed_absolute_z_score_and_the_largest_over_modalities():
    slices = Drawn(6)
    found = fitted(slices, smoothing_mm=2.0, deviation_floor=0.1)
    image, brain = slices.volume(99), box()
    average = found.average.numpy().transpose(1, 2, 3, 0)
    deviation = found.deviation.numpy().transpose(1, 2, 3, 0)
    z = np.abs(image - average) / np.sqrt(deviation**2 + 0.01) * brain
    smooth = np.stack([ndimage.gaussian_filter(one, (2.0, 2.0, 1.0)) for one in z])
    wanted = smooth.max(0) / ndimage.gaussian_filter(brain.astype(float), (2.0, 2.0, 1.0)) * brain
    scores = found.score(volume(image, brain, (1, 1, 2)), Context())
    assert scores == pytest.approx(wanted, rel=1e-3, abs=1e-4)
    assert scores.dtype == np.float32


def test_a_voxel_that_never_varies_does_not_divide_by_zero():
    class Constant(Drawn):
        def volume(self, k: int) -> np.ndarray:
            return np.repeat(box()[None], 2, 0).astype(np.float32)

    found = fitted(Constant(4), deviation_floor=0.05, smoothing_mm=0)
    assert (found.deviation == 0).all()
    same = found.score(volume(Constant(1).volume(0), box()), Context())
    assert (same == 0).all()
    other = found.score(volume(1.5 * Constant(1).volume(0), box()), Context())
    assert other[box()] == pytest.approx(0.5 / 0.05)


def test_a_planted_lesion_scores_above_the_rest():
    slices = Drawn(12)
    image = slices.volume(99)
    image[0, 6:9, 6:9, 4:7] += 2
    scores = fitted(slices).score(volume(image, box()), Context())
    lesion = np.zeros_like(box())
    lesion[6:9, 6:9, 4:7] = True
    assert np.median(scores[lesion]) > np.quantile(scores[box() & ~lesion], 0.95)


def test_a_position_without_healthy_slices_borrows_its_neighbour():
    found = fitted(Drawn(5, skip=4))
    whole = fitted(Drawn(5))
    assert torch.equal(found.average[3], found.average[4])
    assert torch.equal(found.average[5], whole.average[5])


def test_a_volume_of_another_depth_is_aligned_along_z():
    class Ramp(Drawn):
        def volume(self, k: int) -> np.ndarray:
            z = (np.arange(self.depth) + 0.5) / self.depth
            return np.where(box(self.depth), 1 + z, 0)[None].repeat(2, 0).astype(np.float32)

    found = fitted(Ramp(4), smoothing_mm=0)
    deep = found.score(volume(Ramp(1, depth=30).volume(0), box(30)), Context())
    assert deep.shape == (EDGE, EDGE, 30)
    assert deep[..., 2:-2].max() < 0.02  # the ends cannot be interpolated
    upside_down = found.score(volume(Ramp(1, depth=30).volume(0)[..., ::-1], box(30)), Context())
    assert upside_down.max() > 5


def test_a_brain_in_another_field_of_view_is_aligned_by_its_bounding_box():
    slices = Drawn(8)
    image = np.zeros((2, EDGE, EDGE, DEPTH), np.float32)
    brain = box(x=6, y=4)
    image[:, brain] = slices.volume(99)[:, box()]
    moved = volume(image, brain)
    found, fixed = (fitted(slices, alignment=how, smoothing_mm=0) for how in ("auto", "grid"))
    wanted = found.score(volume(slices.volume(99), box()), Context())[box()]
    assert found.score(moved, Context())[brain] == pytest.approx(wanted, rel=1e-3, abs=1e-3)
    assert fixed.score(moved, Context())[brain].mean() > 3 * wanted.mean()


def test_a_slightly_moved_brain_stays_on_the_grid():
    slices = Drawn(8)
    brain = box(width=11)
    image = np.where(brain, slices.volume(99), 0)
    found, fixed = fitted(slices), fitted(slices, alignment="grid")
    assert np.array_equal(
        found.score(volume(image, brain), Context()), fixed.score(volume(image, brain), Context())
    )


def test_memory_does_not_grow_with_the_number_of_slices():
    def peak(subjects: int) -> int:
        tracemalloc.start()
        fitted(Drawn(subjects))
        largest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return largest

    peak(2)
    assert peak(40) < 1.2 * peak(4)


def test_a_saved_state_scores_the_same():
    slices = Drawn(4)
    found = fitted(slices)
    other = VoxelStatistics(VoxelStatisticsConfig(), SPEC)
    other.load(found.state())
    case = volume(slices.volume(9), box())
    assert np.array_equal(other.score(case, Context()), found.score(case, Context()))


def test_an_empty_brain_gives_an_empty_map():
    scores = fitted(Drawn(3)).score(
        volume(Drawn(1).volume(0), np.zeros((EDGE, EDGE, DEPTH), bool)), Context()
    )
    assert (scores == 0).all()


def test_the_mean_brain_is_what_is_shown_beside_a_scan():
    found = fitted(Drawn(4))
    scan = volume(Drawn(4).volume(9), box())
    shown = found.expected(scan, np.array([1, 3]), Context())
    mean = found.average.numpy().transpose(1, 2, 3, 0)
    assert shown == pytest.approx(mean[..., [1, 3]])
