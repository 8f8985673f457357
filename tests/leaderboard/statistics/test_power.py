"""Power and need against statsmodels and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from leaderboard.statistics.power import power_of
from leaderboard.statistics.sign_flips import mean_tests


def test_the_detectable_difference_and_the_subjects_needed_are_statsmodels():
    rng = np.random.default_rng(0)
    values = rng.normal(0.5, 0.1, (200, 2, 1))
    found = power_of([values[:, 0], values[:, 1]], [(0, 1)], 1.959964)
    sd = (values[:, 0, 0] - values[:, 1, 0]).std(ddof=1)
    own = TTestPower()
    wanted = own.solve_power(nobs=200, alpha=0.05, power=0.8) * sd
    assert found.detectable == pytest.approx(wanted, rel=0.01)
    for need in found.needs:
        number = own.solve_power(effect_size=need.difference / sd, alpha=0.05, power=0.8)
        assert need.subjects == pytest.approx(number, rel=0.05, abs=1.2)
        assert need.seeds == 1


def test_where_trainings_vary_much_no_number_of_subjects_suffices_but_more_seeds_do():
    rng = np.random.default_rng(1)
    own = rng.random((50, 1))
    noise = rng.normal(0, 0.01, (2, 50, 3))
    shift = np.array([0.04, 0.0, -0.04])
    found = power_of([own + shift + noise[0], own + shift + noise[1]], [(0, 1)], 1.96)
    need = found.needs[1]
    assert need.difference == 0.02
    assert need.subjects is None
    assert need.seeds > 3
    # at these the trainings take at most half of the squared standard error there may be
    allowed = (0.02 / (1.96 + 0.8416)) ** 2
    assert 2 * 0.04**2 / need.seeds <= allowed / 2 * 1.05
    assert need.subjects_then < 100


@pytest.mark.parametrize(("subjects", "seeds", "methods"), [(8, 1, 2), (10, 1, 5), (20, 3, 3)])
def test_what_is_said_to_be_found_in_4_of_5_repetitions_is(subjects, seeds, methods):
    """By the normal's quantiles, whatever the degrees of freedom, it was found in 1 to 3 of 5."""
    rng = np.random.default_rng(3)
    pairs = list(itertools.combinations(range(methods), 2))

    def repetition(gain=0.0):
        values = rng.random((subjects, 1, 1)) + rng.normal(0, 0.1, (subjects, methods, seeds))
        values += rng.normal(0, 0.02, (methods, seeds)) if seeds > 1 else 0.0
        values[:, 0] += gain
        parts = [values[:, k] for k in range(methods)]
        return parts, mean_tests(parts, pairs, 299)

    said = []
    for _ in range(20):
        parts, tested = repetition()
        said.append(power_of(parts, pairs, tested.critical, ()).detectable)
    found = [repetition(np.mean(said))[1].adjusted[0] < 0.05 for _ in range(120)]
    assert np.mean(found) == pytest.approx(0.75, abs=0.15)


def family(rng, of_trainings, subjects=30):
    """Return methods whose trainings lie so far apart, by subject and seed, and all pairs of them."""
    ease = rng.random((subjects, 1))
    values = [
        ease + rng.normal(0, sd, 3) + rng.normal(0, 0.05, (subjects, 3)) for sd in of_trainings
    ]
    return values, list(itertools.combinations(range(len(values)), 2))


def test_one_method_whose_trainings_lie_far_apart_does_not_set_what_typical_rows_can_show():
    rng = np.random.default_rng(5)
    said = []
    for _ in range(20):
        values, pairs = family(rng, [0.01] * 7)
        wild = values[0] + rng.permutation([-0.3, 0.0, 0.3])
        pair_of = [power_of([first, *values[1:]], pairs, 2.8, ()) for first in (values[0], wild)]
        said.append([found.detectable for found in pair_of])
    calm, beside_one_wild = np.mean(said, axis=0)
    assert beside_one_wild == pytest.approx(calm, rel=0.15)


@pytest.mark.parametrize("sd", [0.06, 0.1])
def test_where_all_trainings_scatter_alike_the_typical_variance_is_theirs(sd):
    """A median of estimates from three seeds alone would be 31 % below."""
    rng = np.random.default_rng(6)
    found = []
    for _ in range(60):
        values, pairs = family(rng, [sd] * 8)
        needs = power_of(values, pairs, 1.96, (0.05,)).needs
        found.append(needs[0].seeds)
    # at these the trainings take at most half of the squared standard error there may be
    wanted = max(3, 4 * sd**2 / (0.05 / (1.96 + 0.8416)) ** 2)
    assert np.mean(found) == pytest.approx(wanted, rel=0.2, abs=1)


def test_rows_with_one_seed_tell_nothing_of_trainings():
    rng = np.random.default_rng(7)
    values, pairs = family(rng, [0.05] * 3)
    more = [values[0][:, :1] + rng.normal(0, 0.05, (30, 1)) for _ in range(6)]
    every = list(itertools.combinations(range(9), 2))
    alone = power_of(values, pairs, 2.5, ())
    beside = power_of([*values, *more], every, 2.5, ())
    assert beside.detectable == pytest.approx(alone.detectable, rel=0.1)


def test_subjects_needed_are_the_fewest_that_can_show_the_difference():
    rng = np.random.default_rng(4)
    values = rng.normal(0.5, 0.1, (12, 2, 1))
    found = power_of([values[:, 0], values[:, 1]], [(0, 1)], 1.96, (0.05, 0.2))
    sd = (values[:, 0, 0] - values[:, 1, 0]).std(ddof=1)
    for need in found.needs:
        number = TTestPower().solve_power(effect_size=need.difference / sd, alpha=0.05, power=0.8)
        assert need.subjects == pytest.approx(number, rel=0.05, abs=1.2)


def test_methods_that_differ_by_chance_alone_have_a_ratio_near_one():
    rng = np.random.default_rng(2)
    ratios = []
    for _ in range(60):
        values = rng.random((40, 1, 1)) + rng.normal(0, 0.1, (40, 6, 1))
        pairs = [(i, j) for i in range(6) for j in range(i)]
        ratios.append(power_of([values[:, k] for k in range(6)], pairs, 2.0, ()).ratio)
    assert np.sqrt(np.mean(np.square(ratios))) == pytest.approx(1, abs=0.15)
    assert power_of([np.ones((5, 1))] * 2, [(0, 1)], 2.0) is None
