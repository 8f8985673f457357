"""What lesions change, and that masks say it: tumours, plaques, small lesions."""

import functools

import numpy as np
import pytest
from scipy import ndimage
from support.phantoms import PHANTOM_MS

from datasets.phantom.anatomy import Grid, draw_pose, sample_anatomy
from datasets.phantom.build import PhantomConfig, SplitCounts
from datasets.phantom.contrasts import SCANNERS, healthy_images
from datasets.phantom.gliomas import draw_glioma, glioma_labels
from datasets.phantom.painting import paint, ramp
from datasets.phantom.plaques import draw_plaques, plaque_labels
from datasets.phantom.recipe import make_subject, subjects_of
from datasets.phantom.small_lesions import (
    LABELS,
    Wasting,
    draw_small_lesions,
    spot_kinds,
    spot_labels,
    ventricle_gained,
    wasted,
)
from datasets.phantom.template import load_template

MODALITIES = ("flair", "t1", "t1ce", "t2")
NOBODY = SplitCounts()


@functools.cache
def smoothed(spacing):
    return load_template().smoothed(spacing)


def rng(seed):
    return np.random.default_rng(seed)


@functools.cache
def healthy(spacing=4.0, seed=5):
    """Return a pose, its anatomy and its healthy images."""
    pose = draw_pose(rng(seed), Grid(spacing), 0.0)
    anatomy = sample_anatomy(smoothed(spacing), pose, 0.0, rng(seed + 1))
    return pose, anatomy, healthy_images(anatomy, SCANNERS["a"], 0, rng(7), 50)


def changed_by(labels, weight, looks):
    _, anatomy, images = healthy()
    after = {modality: image.copy() for modality, image in images.items()}
    paint(after, labels, weight, looks, anatomy, rng(9))
    return np.any([after[m] != images[m] for m in MODALITIES], axis=0)


# Tumours


def test_a_tumour_changes_the_voxels_its_mask_marks_and_no_other():
    pose, anatomy, _ = healthy()
    tumour = draw_glioma(rng(6), smoothed(4.0), pose)
    labels, weight = glioma_labels(tumour, anatomy, rng(8))
    np.testing.assert_array_equal(changed_by(labels, weight, tumour.looks), labels > 0)
    assert set(np.unique(labels[weight > 0])) <= {1, 2, 4}
    assert anatomy.brain[labels > 0].all()


def test_plaques_change_the_voxels_their_mask_marks_and_no_other():
    pose, anatomy, _ = healthy()
    plaques = draw_plaques(rng(6), smoothed(4.0), pose)
    indices, weight = plaque_labels(plaques, anatomy, rng(8))
    looks = {k: plaque.look for k, plaque in enumerate(plaques, start=1)}
    np.testing.assert_array_equal(changed_by(indices, weight, looks), indices > 0)


def test_the_mass_effect_pushes_tissue_away_from_the_tumour_and_marks_none_of_it():
    pose, _, _ = healthy()
    tumour = draw_glioma(rng(6), smoothed(4.0), pose)
    pushed = pose.pushed(tumour.mass_effect)
    at = [np.abs(a - c).argmin() for a, c in zip(pose.grid.axes, tumour.centre, strict=True)]
    middle = np.array([part[tuple(at)] for part in pose.places])
    # A voxel beside the tumour shows tissue that lay nearer to the tumour's middle.
    side = (at[0] + round(tumour.core / 4.0) + 1, at[1], at[2])
    before = np.linalg.norm([part[side] for part in pose.places] - middle)
    after = np.linalg.norm([part[side] for part in pushed.places] - middle)
    assert after < before
    anatomy = sample_anatomy(smoothed(4.0), pushed, 0.0, rng(6))
    labels, _ = glioma_labels(tumour, anatomy, rng(8))
    moved = np.abs(pushed.places[0] - pose.places[0]) > 0.1
    assert (moved & anatomy.brain & (labels == 0)).any()


def test_the_enhancing_rim_is_bright_after_contrast_and_oedema_on_flair_and_t2():
    rims = 0
    config = PhantomConfig(counts=SplitCounts(train=6), lesion_free=NOBODY, spacing=4.0)
    for number in range(6):
        scans, labels, _ = make_subject(subjects_of(config)[number], smoothed(4.0))
        around = ndimage.binary_dilation(labels > 0, iterations=2) & (labels == 0)
        around &= scans["t1"] > np.median(scans["t1"][scans["t1"] > 0])  # tissue, not fluid

        def relative(modality, label, scans=scans, labels=labels, around=around):
            return np.median(scans[modality][labels == label]) / np.median(scans[modality][around])

        assert relative("flair", 2) > 1.05
        assert relative("t2", 2) > 1.05
        if (labels == 4).sum() > 30:
            rims += 1
            assert relative("t1ce", 4) > relative("t1", 4) + 0.1
    assert rims >= 2


def test_volumes_of_gliomas_are_spread_as_those_of_patients():
    pose, _, _ = healthy()
    tumours = [draw_glioma(rng(seed), smoothed(4.0), pose) for seed in range(80)]
    millilitres = np.array([4 / 3 * np.pi * tumour.oedema**3 / 1000 for tumour in tumours])
    assert 60 < np.median(millilitres) < 150
    assert np.quantile(millilitres, 0.1) < 45
    assert np.quantile(millilitres, 0.9) > 180
    assert 0.6 < np.mean([tumour.rim > 0 for tumour in tumours]) < 0.9
    assert np.mean([bool(tumour.satellites) for tumour in tumours]) > 0.3


def test_a_lesion_fades_into_healthy_tissue_inside_its_border():
    shares = ramp(np.array([0.0, 1.0, 3.0, 9.0], dtype=np.float32), 3.0)
    np.testing.assert_allclose(shares, [1 / 3, 1 / 3 + 1 / 4.5, 1.0, 1.0], rtol=1e-6)


# Plaques


def test_plaques_are_few_or_many_and_lie_mostly_beside_the_ventricles():
    pose = draw_pose(rng(0), Grid(2.5), 0.0)
    anatomy = sample_anatomy(smoothed(2.5), pose, 0.0, rng(1))
    counts, near = [], []
    for seed in range(12):
        plaques = draw_plaques(rng(seed), smoothed(2.5), pose)
        counts.append(len(plaques))
        for plaque in plaques:
            at = tuple(
                np.abs(a - c).argmin() for a, c in zip(pose.grid.axes, plaque.centre, strict=True)
            )
            near.append(anatomy.from_ventricle[at] < 12)
    assert 5 <= min(counts) < 12 < 20 < max(counts) <= 45
    assert np.mean(near) > 0.6


def test_plaques_are_counted_apart_in_the_mask_and_bright_on_flair_and_t2():
    config = PHANTOM_MS.model_copy(update={"counts": SplitCounts(val=3)})
    for subject in subjects_of(config):
        scans, labels, _ = make_subject(subject, smoothed(2.5))
        assert set(np.unique(labels)) == {0, 1}
        _, count = ndimage.label(labels, structure=np.ones((3, 3, 3)))
        assert 5 <= count <= 45
        around = ndimage.binary_dilation(labels > 0, iterations=2) & (labels == 0)
        around &= scans["flair"] > 0
        for modality in ("flair", "t2"):
            lesion = np.median(scans[modality][labels > 0])
            assert lesion > 1.08 * np.median(scans[modality][around])
        assert np.median(scans["t1"][labels > 0]) < np.median(scans["t1"][around])


# Small lesions


def test_each_subject_has_two_to_four_kinds_and_every_kind_comes_up():
    pose, _, _ = healthy()
    seen = set()
    for seed in range(25):
        lesions = draw_small_lesions(rng(seed), smoothed(4.0), pose)
        kinds = {spot.kind for spot in lesions.spots}
        kinds |= {"atrophy"} if lesions.wasting else set()
        kinds |= {"asymmetry"} if lesions.wider else set()
        assert 2 <= len(kinds) <= 4
        assert (lesions.push is not None) == ("mass" in kinds)
        seen |= kinds
    assert seen == set(LABELS)


def test_small_spots_change_the_voxels_they_mark_and_no_other_and_carry_their_kind():
    pose, anatomy, _ = healthy()
    for seed in range(6):
        lesions = draw_small_lesions(rng(seed), smoothed(4.0), pose)
        indices, weight, looks = spot_labels(lesions, anatomy, rng(8))
        np.testing.assert_array_equal(changed_by(indices, weight, looks), indices > 0)
        kinds = spot_kinds(lesions, indices)
        np.testing.assert_array_equal(kinds > 0, indices > 0)
        assert {LABELS[spot.kind] for spot in lesions.spots} >= set(kinds[kinds > 0].tolist())


def test_focal_atrophy_turns_tissue_into_fluid_where_it_is_marked_and_nowhere_else():
    pose, anatomy, _ = healthy()
    sites = smoothed(4.0).sites(grey=(100, 255), from_surface=(12, 36))
    wasting = Wasting(pose.nearest(sites[len(sites) // 3]), 24.0, 0.9)
    after, marked = wasted(wasting, anatomy)
    assert marked.any()
    np.testing.assert_array_equal(after.fluid != anatomy.fluid, marked)
    assert (after.fluid - anatomy.fluid)[marked].min() >= 0.19
    total = after.fluid + after.grey + after.white
    np.testing.assert_allclose(total[anatomy.brain], 1, atol=1e-5)


@pytest.mark.parametrize("side", [0, 1])
def test_a_wider_ventricle_is_marked_on_its_side_where_tissue_became_fluid(side):
    pose, before, _ = healthy()
    wider = pose.widened(side, 0.45)
    after = sample_anatomy(smoothed(4.0), wider, 0.0, rng(6))
    marked = ventricle_gained(before, after, side)
    assert marked.sum() > 5
    assert ((wider.places[0][marked] > 0) == bool(side)).all()
    assert (after.fluid > before.fluid)[marked].all()
    # the other ventricle stays what it was, but for what lies at the midline
    other = (pose.places[0] < -12) if side else (pose.places[0] > 12)
    assert np.abs(after.fluid - before.fluid)[other & before.brain].max() < 0.25


def test_marks_of_a_whole_subject_are_the_labels_of_kinds():
    config = PhantomConfig(kind="small", counts=SplitCounts(val=4), lesion_free=NOBODY, spacing=4.0)
    for subject in subjects_of(config):
        scans, labels, _ = make_subject(subject, smoothed(4.0))
        assert set(np.unique(labels)) - {0} <= set(LABELS.values())
        assert (labels > 0).any()
        assert (scans["t1"] > 0)[labels > 0].all()
