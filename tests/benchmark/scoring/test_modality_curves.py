"""Scores of modalities in one unit: how rare they are in healthy validation voxels."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_volumes import CPU, MODALITIES, Brightness, Whole, detector_of, small_volume

from andi_bench.config import PreprocessingConfig, ScoringConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from benchmark.scoring.curve_fit import NAME, CurveFitter, described, load_curves
from benchmark.scoring.engine import ScoreEngine, score_volume
from benchmark.scoring.modality_curves import ScoreCounts
from methods.base import SliceDetector

CONFIG = PreprocessingConfig(size=16, modalities=MODALITIES)
VOLUMES = {name: small_volume(name, seed) for seed, name in enumerate("ABC")}


class Volumes:
    """The face of a data set, over volumes in memory."""

    def __init__(self, volumes=VOLUMES):
        self.volumes = volumes
        self.read_so_far = []

    def read(self, subject, config):
        self.read_so_far.append(subject)
        return self.volumes[subject]


def curve_of(*parts):
    counts = ScoreCounts()
    for part in parts:
        counts.add(np.asarray(part, dtype=np.float32))
    return counts.curve()


def engine(batch_size=4, reduction="max", curves=()):
    config = ScoringConfig(batch_size=batch_size, reduction=reduction, calibration="quantile")
    return ScoreEngine(0, CPU, config, MODALITIES, curves)


def fitted(folder, detector, subjects="AB", *, batch_size=4, volumes=VOLUMES, **shared):
    data = Volumes(volumes)
    CurveFitter(
        detector, data, CONFIG, engine(batch_size), folder, Console(quiet=True), **shared
    ).fit(list(subjects))
    return load_curves(folder, MODALITIES), data.read_so_far


def test_a_score_becomes_minus_the_logarithm_of_the_share_that_scores_as_much():
    scores = np.random.default_rng(0).exponential(3.0, 200_000).astype(np.float32)
    curve = curve_of(scores)
    for quantile in (0.1, 0.5, 0.9, 0.99, 0.999):
        at = float(np.quantile(scores, quantile))
        share = np.mean(scores >= at)
        assert float(curve(torch.tensor([at]))) == pytest.approx(-np.log10(share), abs=0.01)
    assert curve.at(2.0) == pytest.approx(np.quantile(scores, 0.99), rel=1e-2)


def test_beyond_the_healthy_scores_an_exponential_tail_goes_on():
    scores = np.random.default_rng(0).exponential(3.0, 500_000)
    far = 60.0
    assert float(curve_of(scores)(torch.tensor(far))) == pytest.approx(
        far / 3 / np.log(10), rel=0.15
    )


@settings(deadline=None, max_examples=60)
@given(
    healthy=st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=60),
    others=st.lists(st.floats(-(2.0**126), 2.0**126, width=32), min_size=2, max_size=60),
)
def test_a_curve_never_falls_and_is_finite(healthy, others):
    mapped = curve_of(healthy)(torch.tensor(sorted([*others, *healthy]), dtype=torch.float32))
    assert torch.isfinite(mapped).all()
    assert (mapped >= 0).all()
    assert (mapped.diff() >= 0).all()


@given(st.floats(0.1, 1e6), st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_the_order_of_the_highest_scores_is_kept(scale, seed):
    scores = np.random.default_rng(seed).gamma(2.0, scale, 5000).astype(np.float32)
    highest = np.unique(
        np.concatenate([np.sort(scores)[-200:], scores.max() * (1 + np.arange(20))])
    )
    mapped = curve_of(scores)(torch.from_numpy(highest.astype(np.float32)))
    assert (mapped.diff() > 0).all()


def test_a_score_that_repeats_is_one_step_and_not_smeared():
    scores = np.concatenate([np.zeros(9000), np.linspace(5, 6, 1000)])
    curve = curve_of(scores)
    assert curve(torch.tensor([0.0, 0.001])).tolist() == pytest.approx([0, 0], abs=0.01)
    assert float(curve(torch.tensor(5.0))) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("value", [0.0, -3.0, 7e-5])
def test_one_score_alone_makes_a_curve_too(value):
    curve = curve_of([value] * 50)
    low, here, high = curve(torch.tensor([value - 1, value, value + 1])).tolist()
    assert low == 0
    assert here == pytest.approx(0, abs=1e-3)  # within its bin
    assert high > 0.1


def test_what_is_not_finite_stays_so():
    mapped = curve_of([1.0, 2.0])(torch.tensor([float("nan"), float("inf"), -float("inf")]))
    assert torch.isnan(mapped[0])
    assert torch.isinf(mapped[1:]).all()


@given(st.lists(st.integers(1, 999), max_size=4))
@settings(deadline=None, max_examples=20)
def test_a_curve_does_not_depend_on_how_scores_come(cuts):
    scores = np.random.default_rng(1).normal(size=1000)
    assert curve_of(*np.split(scores, sorted(cuts))) == curve_of(scores)


class Loud(SliceDetector):
    """FLAIR shows the lesion; T1 is noise, a hundred times as loud."""

    name, recipe = "loud", 1

    def score_slices(self, batch, generator):
        noise = 100 * generator.normal(*batch.shape[2:]).abs()
        return torch.stack([batch[:, 0], noise], dim=1)


def contrast(found, volume):
    """Return how far lesions stand out of the healthy brain, in its standard deviations."""
    healthy = found[volume.healthy]
    return (found[volume.lesion].mean() - healthy.mean()) / healthy.std()


def test_the_noisiest_modality_wins_only_before_calibration(tmp_path):
    detector = detector_of(Loud)
    curves, _ = fitted(tmp_path, detector)
    volume = VOLUMES["C"]
    assert contrast(score_volume(detector, volume, engine()).map, volume) < 0.5
    for reduction in ("max", "mean"):
        brought = score_volume(detector, volume, engine(reduction=reduction, curves=curves)).map
        assert contrast(brought, volume) > 2


def test_curves_are_fitted_on_healthy_voxels_of_the_subjects_named_and_no_others(tmp_path):
    curves, read = fitted(tmp_path, detector_of(Brightness), "AB")
    assert read == ["A", "B"]
    flair = curves[0]
    # Lesions are brighter by 1: no knot lies there.
    assert max(flair.scores) < 0.7
    wanted = np.concatenate([VOLUMES[name].image[0][VOLUMES[name].healthy] for name in "AB"])
    content = json.loads((tmp_path / NAME).read_text())
    assert content["voxels"] == len(wanted)
    assert flair.at(1.0) == pytest.approx(np.quantile(wanted, 0.9), abs=0.02)
    assert list(described(MODALITIES, curves)) == [
        "flair score of 1 in 100",
        "t1 score of 1 in 100",
    ]


def test_ignored_voxels_do_not_count_and_lesion_free_subjects_do(tmp_path):
    plain = VOLUMES["A"]
    ignored = dataclasses.replace(plain, ignore=plain.image[0] > 0.5)
    free = dataclasses.replace(plain, lesion=np.zeros_like(plain.brain))
    for name, volume in (("ignored", ignored), ("free", free)):
        fitted(tmp_path / name, detector_of(Brightness), "A", volumes={"A": volume})
        content = json.loads((tmp_path / name / NAME).read_text())
        assert content["voxels"] == np.count_nonzero(volume.healthy)


def test_curves_do_not_depend_on_the_batch_size_and_are_fitted_once(tmp_path):
    detector = detector_of(Brightness)
    first, _ = fitted(tmp_path / "a", detector, batch_size=1)
    second, _ = fitted(tmp_path / "b", detector, batch_size=64)
    assert first == second
    again, read = fitted(tmp_path / "a", detector, "C")
    assert (again, read) == (first, [])
    whole = score_volume(detector, VOLUMES["C"], engine(64, curves=first)).map
    assert np.array_equal(score_volume(detector, VOLUMES["C"], engine(3, curves=first)).map, whole)


def test_processes_share_the_subjects_and_fit_the_same_curves(tmp_path):
    """Two processes in turn; the second adds what the first has counted."""
    detector, said = detector_of(Brightness), []

    def first(counts):
        said.append(counts.clone())
        return counts

    fitted(tmp_path / "first", detector, "ABC", process=(0, 2), add_up=first)
    waiting = iter(said)
    data = Volumes()
    two = tmp_path / "two"
    CurveFitter(
        detector,
        data,
        CONFIG,
        engine(),
        two,
        Console(quiet=True),
        process=(1, 2),
        add_up=lambda counts: counts + next(waiting),
    ).fit(list("ABC"))
    assert data.read_so_far == ["B"]
    assert not two.exists()  # the first process writes
    waiting = iter(said)
    both, read = fitted(two, detector, "B", add_up=lambda counts: counts + next(waiting))
    assert read == ["B"]
    assert both == fitted(tmp_path / "one", detector, "ABC")[0]


class AtOnce(Brightness):
    """Reduces the whole volume at once, slices without brain too."""

    name = "at-once"

    def score(self, volume, context):
        scores = torch.from_numpy(np.ascontiguousarray(volume.image.transpose(3, 0, 1, 2)))
        return context.reduce(scores).permute(1, 2, 0).numpy()


class Collecting(Brightness):
    """Takes all batches before it reduces them together."""

    name = "collecting"

    def score(self, volume, context):
        parts = list(context.batches(volume))
        out = np.zeros(volume.shape, dtype=np.float32)
        reduced = context.reduce(torch.cat([images for _, images, _ in parts]))
        out[:, :, np.concatenate([z for z, _, _ in parts])] = reduced.permute(1, 2, 0).numpy()
        return out


class Plain(Brightness):
    """Batch by batch, without noise."""

    name = "plain"

    def score_slices(self, batch, generator):
        return batch


@pytest.mark.parametrize("kind", [AtOnce, Collecting])
def test_however_a_detector_reduces_the_same_voxels_count(tmp_path, kind):
    wanted, _ = fitted(tmp_path / "plain", detector_of(Plain))
    assert fitted(tmp_path / "other", detector_of(kind))[0] == wanted


class Joint(Brightness):
    """One score for all modalities."""

    name = "joint"

    def score_slices(self, batch, generator):
        return batch.mean(dim=1, keepdim=True)


def test_one_score_for_all_modalities_is_left_as_it_is(tmp_path):
    detector = detector_of(Joint)
    curves, _ = fitted(tmp_path, detector)
    assert curves == ()
    plain = score_volume(detector, VOLUMES["C"], ScoreEngine(0, CPU, ScoringConfig())).map
    for reduction in ("max", "flair"):
        brought = engine(reduction=reduction, curves=curves)
        assert np.array_equal(score_volume(detector, VOLUMES["C"], brought).map, plain)


def test_a_single_modality_is_taken_by_its_name():
    found = score_volume(detector_of(Plain), VOLUMES["C"], engine(reduction="t1")).map
    volume = VOLUMES["C"]
    assert np.array_equal(found[volume.brain], volume.image[1][volume.brain])


class Odd(Brightness):
    """Makes scores of three channels out of two modalities."""

    name = "odd"

    def score_slices(self, batch, generator):
        return torch.cat([batch, batch[:, :1]], dim=1)


class Unfinished(Brightness):
    """Scores that are not numbers."""

    name = "unfinished"

    def score_slices(self, batch, generator):
        return batch * float("nan")


def test_what_cannot_be_brought_into_line_is_said_by_name(tmp_path):
    whole = detector_of(Whole).of(lambda volume: volume.image[0])
    with pytest.raises(UserError, match="method 'whole' does not reduce scores over modalities"):
        fitted(tmp_path, whole)
    with pytest.raises(UserError, match="'whole' .* scoring.reduction = t1 says nothing to it"):
        score_volume(whole, VOLUMES["A"], engine(reduction="t1"))
    with pytest.raises(UserError, match=r"'odd', subject A: reduce\(\) is given scores of shape"):
        fitted(tmp_path, detector_of(Odd))
    with pytest.raises(UserError, match="scores of 3 channels, 2 modalities wanted"):
        score_volume(detector_of(Odd), VOLUMES["A"], engine(reduction="t1"))
    with pytest.raises(UserError, match="'unfinished', subject A: .* not finite"):
        fitted(tmp_path, detector_of(Unfinished))
    nobody = dataclasses.replace(VOLUMES["A"], lesion=VOLUMES["A"].brain)
    with pytest.raises(UserError, match="'plain': 0 healthy voxels in 1 validation subject,"):
        fitted(tmp_path, detector_of(Plain), "A", volumes={"A": nobody})
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("content", ["", "[1]", '{"modalities": ["flair"], "curves": []}', None])
def test_damaged_curves_are_named(tmp_path, content):
    if content is not None:
        (tmp_path / NAME).write_text(content)
    with pytest.raises(UserError, match=r"modality_curves.json: damaged; delete it"):
        load_curves(tmp_path, MODALITIES)
