"""AUROC of scans: against scikit-learn, DeLong's variance counted pair by pair, and how often the interval holds the truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from andi_bench.metrics.case import Case
from andi_bench.metrics.mean_intervals import t_quantile
from andi_bench.metrics.scan_level import (
    hoeffding_limits,
    midranks,
    placements,
    scan_auroc,
    scan_score,
)

few = st.lists(st.integers(0, 6), min_size=1, max_size=9)


def case(scores, spacing=(5.0, 5.0, 5.0), brain=None):
    brain = np.ones(scores.shape, bool) if brain is None else brain
    return Case(scores.astype(np.float32), brain, np.zeros(scores.shape, bool), spacing)


def test_the_score_of_a_scan_is_the_mean_of_its_highest_millilitre_in_the_brain():
    scores = np.arange(60.0).reshape(3, 4, 5)
    # a voxel is .125 ml: eight make up one
    assert scan_score(case(scores)) == np.arange(52, 60).mean()
    brain = scores < 50
    assert scan_score(case(scores, brain=brain)) == np.arange(42, 50).mean()
    assert scan_score(case(scores, spacing=(20.0, 20.0, 20.0))) == 59  # a voxel is more than that
    assert scan_score(case(scores, spacing=(1.0, 1.0, 1.0))) == scores.mean()  # the brain is less
    assert scan_score(case(scores, brain=scores < 0)) is None


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20))
def test_midranks_are_those_of_scipy(values):
    assert midranks(np.array(values, dtype=float)).tolist() == rankdata(values).tolist()


def counted(ill, free):
    """DeLong's components and variance, pair by pair, as the definition has them."""
    won = np.array([[(a > b) + (a == b) / 2 for b in free] for a in ill])
    one, other = won.mean(axis=1), won.mean(axis=0)
    variance = sum(part.var(ddof=1) / len(part) if len(part) > 1 else 0.0 for part in (one, other))
    return won.mean(), one, other, variance


@given(few, few)
def test_components_and_auroc_equal_those_counted_pair_by_pair_and_scikit_learns(ill, free):
    ill, free = np.array(ill, dtype=float), np.array(free, dtype=float)
    area, one, other, _ = counted(ill, free)
    found = placements(ill, free)
    assert found[0] == pytest.approx(one)
    assert found[1] == pytest.approx(other)
    both = scan_auroc(ill[:, None], free[:, None])
    assert both.value == pytest.approx(area)
    truth = [1] * len(ill) + [0] * len(free)
    assert both.value == pytest.approx(roc_auc_score(truth, np.concatenate([ill, free])))
    assert both.low <= both.value <= both.high
    assert (both.lesion, both.lesion_free) == (len(ill), len(free))


def test_the_interval_is_students_t_on_the_logit_with_delongs_error():
    rng = np.random.default_rng(3)
    ill, free = rng.normal(1, 1, 14), rng.normal(0, 2, 9)
    area, one, other, variance = counted(ill, free)
    parts = [one.var(ddof=1) / 14, other.var(ddof=1) / 9]
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / 13 + parts[1] ** 2 / 8)
    reach = t_quantile(degrees) * math.sqrt(variance) / (area * (1 - area))
    logit = math.log(area / (1 - area))
    found = scan_auroc(ill[:, None], free[:, None])
    assert found.low == pytest.approx(1 / (1 + math.exp(reach - logit)))
    assert found.high == pytest.approx(1 / (1 + math.exp(-reach - logit)))


def test_without_both_kinds_there_is_no_figure():
    column, nobody = np.ones((3, 1)), np.empty((0, 1))
    assert scan_auroc(column, nobody) is None
    assert scan_auroc(nobody, column) is None


@pytest.mark.parametrize(("ill", "free"), [(1, 1), (8, 2), (30, 12)])
def test_told_apart_without_a_fault_few_subjects_prove_little(ill, free):
    found = scan_auroc(np.full((ill, 1), 2.0), np.full((free, 1), 1.0))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / min(ill, free)))
    turned = scan_auroc(np.full((ill, 1), 1.0), np.full((free, 1), 2.0))
    assert (turned.value, turned.low) == (0.0, 0.0)
    assert turned.high == pytest.approx(1 - found.low)


def test_hoeffdings_bound_is_reached_by_no_share_of_pairs_too_often():
    # of k pairs that share nobody, the number won is binomial: the rarest tail within the limits has 2.5 % at the most
    for pairs in (2, 5, 20):
        for won in range(pairs + 1):
            low, high = hoeffding_limits(won / pairs, pairs)
            assert 0 <= low <= won / pairs <= high <= 1
            tail = sum(
                math.comb(pairs, k) * low**k * (1 - low) ** (pairs - k)
                for k in range(won, pairs + 1)
            )
            assert tail <= 0.025 + 1e-9 or won == 0


def test_one_training_twice_is_as_wide_as_once_and_trainings_that_differ_are_wider():
    rng = np.random.default_rng(5)
    ill, free = rng.normal(1, 1, (20, 1)), rng.normal(0, 1, (15, 1))
    once = scan_auroc(ill, free)
    twice = scan_auroc(np.repeat(ill, 2, axis=1), np.repeat(free, 2, axis=1))
    assert (twice.value, twice.low, twice.high) == pytest.approx((once.value, once.low, once.high))
    shifts = np.array([[-1.0, 0.0, 1.0]])
    varied = scan_auroc(ill + shifts, np.repeat(free, 3, axis=1))
    assert varied.high - varied.low > once.high - once.low


def covered(ill, free, area, found_plainly, cases, rng):
    """How often the interval holds the true AUROC: normal scores, or a share of the lesions far above and the rest as healthy."""
    held = 0
    for _ in range(cases):
        scores = rng.normal(0, 1, (ill, 1))
        if found_plainly:
            scores += 8 * (rng.random((ill, 1)) < 2 * area - 1)
        else:
            scores += ndtri(area) * math.sqrt(2)
        found = scan_auroc(scores, rng.normal(0, 1, (free, 1)))
        held += found.low <= area <= found.high
    return held / cases


@pytest.mark.slow
@pytest.mark.parametrize("found_plainly", [False, True])
@pytest.mark.parametrize("area", [0.6, 0.8, 0.95])
def test_the_interval_holds_the_truth(area, found_plainly):
    rng = np.random.default_rng(11)
    for ill, free, least in (
        # few of a kind: wide, .98 and more
        (8, 1, 0.975),
        (8, 2, 0.975),
        (8, 4, 0.975),
        (8, 8, 0.97),
        (30, 5, 0.94),
        (30, 30, 0.93),
        # the weak place: nearly all told apart, many with a lesion, ten without (.90)
        (200, 10, 0.86 if area == 0.95 else 0.93),
        (200, 50, 0.91 if area == 0.95 else 0.93),
    ):
        assert covered(ill, free, area, found_plainly, 1500, rng) >= least, (ill, free)
