"""Healthy brains of the phantom: variety, what shines in them, the rim, shading."""

import functools

import numpy as np
import pytest

from datasets.phantom.acquisition import acquire, soften
from datasets.phantom.anatomy import Grid, draw_pose, sample_anatomy
from datasets.phantom.bright import bright_structures
from datasets.phantom.contrasts import SCANNERS, healthy_images
from datasets.phantom.template import load_template


@functools.cache
def smoothed():
    return load_template().smoothed(4.0)


def rng(seed):
    return np.random.default_rng(seed)


@functools.cache
def anatomy(seed=0, atrophy=0.0):
    pose = draw_pose(rng(seed), Grid(4.0), atrophy)
    return sample_anatomy(smoothed(), pose, atrophy, rng(seed + 100))


def test_tissue_fractions_sum_to_one_and_are_never_negative():
    found = anatomy()
    total = found.fluid + found.grey + found.white
    np.testing.assert_allclose(total[found.brain], 1, atol=1e-5)
    for part in (found.fluid, found.grey, found.white, found.ventricle, found.residue):
        assert part.min() >= 0
        assert part.max() <= 1 + 1e-5


def test_old_brains_have_more_fluid_and_people_differ_in_their_ventricles():
    young = np.mean([(anatomy(k, -1.0).fluid * anatomy(k, -1.0).brain).sum() for k in range(4)])
    old = np.mean([(anatomy(k, 1.0).fluid * anatomy(k, 1.0).brain).sum() for k in range(4)])
    assert old > 1.1 * young
    volumes = [(anatomy(k).ventricle * anatomy(k).brain).sum() for k in range(6)]
    assert np.std(volumes) > 0.1 * np.mean(volumes)


def test_the_brain_mask_errs_both_ways_and_dura_is_left_outside_the_brain():
    residues, cut = [], []
    for seed in range(4):
        found = anatomy(seed)
        residues.append((found.residue > 0)[found.brain].any())
        cut.append(((found.from_surface > 0) & ~found.brain).any())
        assert (found.depth > 0)[found.brain].all()
    assert any(residues)
    assert all(cut)


def test_white_matter_of_the_old_shines_more():
    def water(age):
        drawn = [bright_structures(anatomy(), rng(seed), age).water for seed in range(3)]
        return np.mean([(part * anatomy().brain).sum() for part in drawn])

    assert water(80) > 1.3 * water(25)


def test_hospitals_differ_and_a_hospital_stays_the_same():
    def images(site):
        return healthy_images(anatomy(), SCANNERS["a"], site, rng(1), 50)["t2"]

    np.testing.assert_array_equal(images(0), images(0))
    assert (images(0) != images(1)).any()


def test_the_rim_fades_and_what_lies_deeper_stays():
    found = anatomy()
    images = healthy_images(found, SCANNERS["b"], 0, rng(1), 50)
    before = {name: image.copy() for name, image in images.items()}
    soften(images, found, SCANNERS["b"], rng(2))
    rim = found.brain & (found.depth < 1.5)
    deep = found.brain & (found.depth > 6) & (found.residue == 0)
    assert (images["t1"][rim] < before["t1"][rim]).mean() > 0.9
    np.testing.assert_array_equal(images["t1"][deep], before["t1"][deep])


@pytest.mark.parametrize("name", ["a", "b"])
def test_shading_has_the_strength_of_its_scanner(name):
    found, scanner = anatomy(), SCANNERS[name]
    flat = {m: np.ones(found.brain.shape, np.float32) for m in ("flair", "t1", "t1ce", "t2")}
    spreads = [
        np.log(acquire(flat, found.brain, found, scanner, rng(seed))["flair"][found.brain]).std()
        for seed in range(8)
    ]
    assert 0.5 * scanner.bias < np.mean(spreads) < 2 * scanner.bias + 0.01
