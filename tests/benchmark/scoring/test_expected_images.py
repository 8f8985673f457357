"""What a method compared a scan with: the image behind the map, in the slices that are drawn and no others."""

import numpy as np
import pytest
import torch
from support.small_volumes import CPU, Brightness, detector_of, small_volume

from andi_bench.config import ScoringConfig
from andi_bench.errors import UserError
from benchmark.scoring.engine import ScoreEngine, score_volume
from benchmark.scoring.expected_images import expected_image
from benchmark.scoring.scan_views import gray_levels, view_of
from methods.base import DetectorConfig, SliceDetector

VOLUME = small_volume()


def engine(reduction="first", batch_size=3):
    return ScoreEngine(7, CPU, ScoringConfig(reduction=reduction, batch_size=batch_size))


class Guessing(SliceDetector):
    """Compares slices with noise, and notes how many it was asked for."""

    name = "guessing"
    Config = DetectorConfig
    recipe = 1
    asked = 0

    def score_slices(self, batch, generator):
        return (batch - self.reconstruct_slices(batch, generator)).abs()

    def reconstruct_slices(self, batch, generator):
        self.asked += len(batch)
        return batch + 0.1 * generator.uniform(*batch.shape[1:])


def test_it_is_the_image_behind_the_map_in_the_slices_asked_for():
    detector = detector_of(Guessing)
    scores = score_volume(detector, VOLUME, engine(batch_size=64)).map
    detector.asked = 0
    found = expected_image(detector, VOLUME, [5, 2, 3], engine())  # slice 3 holds no brain
    assert detector.asked == 2
    assert found.modality == "flair"
    box = view_of(VOLUME).box
    behind = gray_levels((VOLUME.image[0] + scores)[box], VOLUME.image[0], VOLUME.brain)
    inside = VOLUME.brain[box].copy()
    inside[..., [z for z in range(8) if z not in (2, 5)]] = False
    assert inside.sum() > 50
    gaps = found.levels[inside].astype(int) - behind[inside]
    assert np.abs(gaps).max() <= 1  # (x + d) - x is not quite d
    assert not found.levels[..., [0, 1, 3, 4, 6, 7]].any()


def test_the_modality_that_scores_are_reduced_to_is_shown():
    assert expected_image(detector_of(Guessing), VOLUME, [2], engine("t1")).modality == "t1"


def test_a_method_that_expects_no_image_has_none_and_is_not_asked():
    assert Guessing.expects()
    assert not Brightness.expects()
    assert expected_image(detector_of(), VOLUME, [2], engine()) is None
    assert expected_image(detector_of(Guessing), VOLUME, [3], engine()) is None


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (
            lambda batch: batch[..., :-1],
            r"expected image of shape \(2, 16, 15, 1\), \(2, 16, 16, 1\)",
        ),
        (lambda batch: torch.full_like(batch, float("nan")), "512 non-finite values"),
        (lambda batch: batch @ batch[0, 0, :3], "no expected image: RuntimeError: "),
    ],
    ids=["shape", "finite", "fails"],
)
def test_an_image_that_cannot_be_shown_is_refused_by_name(image, said):
    detector = detector_of(Guessing)
    detector.reconstruct_slices = lambda batch, generator: image(batch)
    with pytest.raises(UserError, match=f"method 'guessing', subject A: .*{said}"):
        expected_image(detector, VOLUME, [2], engine())
