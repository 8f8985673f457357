"""Paired tests against published examples, values by hand, and scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from leaderboard.statistics.signed_ranks import (
    holm,
    mean_ranks,
    rank_biserial,
    wilcoxon,
)

# Hollander and Wolfe (1973), 29f, the example of R's wilcox.test: depression before and after therapy.
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]


def test_wilcoxon_gives_the_p_value_that_r_prints_for_its_own_example():
    found = wilcoxon(np.subtract(BEFORE, AFTER))
    assert found.p == pytest.approx(
        2 * 0.01953, abs=2e-5
    )  # R prints the one-sided V = 40, p = 0.01953
    assert found.how == "exact"
    assert found.zeros == 0
    assert found.effect == pytest.approx((40 - 5) / 45)


def test_wilcoxon_by_hand():
    # ranks of |d|: 1, 2, 3, 4; W- = 1; of 16 sign patterns 2 give W- <= 1; two-sided 4 / 16
    found = wilcoxon([-0.1, 0.2, 0.3, 0.4])
    assert found.p == pytest.approx(4 / 16)
    assert found.effect == pytest.approx((9 - 1) / 10)


def test_differences_of_zero_are_left_out_and_counted():
    assert wilcoxon([0.0, 0.0, -0.1, 0.2, 0.3, 0.4]).p == wilcoxon([-0.1, 0.2, 0.3, 0.4]).p
    assert wilcoxon([0.0, 0.0, -0.1, 0.2, 0.3, 0.4]).zeros == 2
    nothing = wilcoxon([0.0, 0.0, 0.0])
    assert (nothing.p, nothing.effect, nothing.zeros) == (1.0, 0.0, 3)


def test_rounding_noise_makes_no_difference_and_breaks_no_tie():
    assert wilcoxon([0.1 + 0.2 - 0.3, 0.1]).zeros == 1
    assert wilcoxon([0.3 - 0.2, 0.1, -0.5]).p == wilcoxon([0.1, 0.1, -0.5]).p


@pytest.mark.parametrize("seed", range(5))
def test_with_ties_the_exact_p_is_that_of_all_signs(seed):
    differences = np.random.default_rng(seed).integers(-4, 6, 9).astype(float)
    kept = differences[differences != 0]
    ranks = mean_ranks(np.abs(kept))
    observed = abs((np.sign(kept) * ranks).sum())
    signs = np.array(list(itertools.product([-1, 1], repeat=len(kept))))
    extreme = (np.abs(signs @ ranks) >= observed - 1e-9).mean()
    assert wilcoxon(differences).p == pytest.approx(extreme)


def test_many_differences_are_approximated_as_r_does():
    differences = np.random.default_rng(1).normal(0.1, 1, 80)
    found = wilcoxon(differences)
    assert found.how == "approximate"
    assert found.p == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue, rel=0.03)


def test_exact_and_approximate_agree_where_they_meet():
    differences = np.random.default_rng(2).normal(0.25, 1, 51)
    exact = wilcoxon(differences[:50])
    assert exact.how == "exact"
    assert wilcoxon(differences).how == "approximate"
    assert exact.p == pytest.approx(
        stats.wilcoxon(differences[:50], method="asymptotic", correction=True).pvalue, rel=0.05
    )


def test_rank_biserial_by_hand():
    assert rank_biserial([1, -2, 3, 4]) == pytest.approx((8 - 2) / 10)
    assert rank_biserial([0.2, 0.1]) == 1
    assert rank_biserial([-0.2, -0.1, 0.0]) == -1
    assert rank_biserial([1, -1]) == 0


def test_holm_by_hand():
    # sorted: .005 x 4, .01 x 3, .03 x 2, .04 x 1 lifted to .06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert holm([0.02]) == pytest.approx([0.02])


def test_holm_takes_the_last_axis_as_the_family():
    p = np.random.default_rng(0).random((3, 5))
    for line, adjusted in zip(p, holm(p), strict=True):
        assert adjusted == pytest.approx(holm(line))


def test_holm_and_wilcoxon_agree_with_statsmodels_and_scikit_posthocs():
    from scikit_posthocs import posthoc_wilcoxon
    from statsmodels.stats.multitest import multipletests

    values = np.random.default_rng(4).random((20, 4)) + np.array([0.3, 0.2, 0.0, 0.05])
    pairs = list(itertools.combinations(range(4), 2))
    p = [wilcoxon(values[:, i] - values[:, j]).p for i, j in pairs]
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    table = posthoc_wilcoxon(list(values.T), p_adjust="holm").to_numpy()
    assert holm(p) == pytest.approx([table[i, j] for i, j in pairs])
