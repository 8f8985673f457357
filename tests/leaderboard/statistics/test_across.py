"""Several data sets together: mean ranks and agreement, against loops, scipy and counted orders."""

import itertools

import numpy as np
import pytest
from scipy import stats

from andi_bench.metrics.resampling import DRAW_SEED, RANK_RESAMPLES, draws_of
from leaderboard.compare import compare
from leaderboard.statistics.across import smallest_tau, tau_b

CHAINS = {"chains": ("raw",)}


def write(make_run, dataset, values, seed=0, **more):
    for method, own in values.items():
        make_run(method, {"raw": list(own)}, dataset=dataset, seed=seed, protocol=CHAINS, **more)


def drawn(subjects, methods, seed, gap=0.06):
    rng = np.random.default_rng(seed)
    ease = rng.beta(2, 2, subjects)
    return {
        name: np.clip(ease - gap * place + rng.normal(0, 0.08, subjects), 0, 1)
        for place, name in enumerate(methods)
    }


@pytest.mark.parametrize("seed", range(4))
def test_tau_of_many_pairs_is_scipys(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 5, (2, 30, 6)).astype(float)
    found = tau_b(first, second)
    for one, other, tau in zip(first, second, found, strict=True):
        wanted = stats.kendalltau(one, other).statistic
        assert tau == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize("methods", range(2, 7))
def test_the_smallest_tau_is_that_of_all_orders_counted(methods):
    taus = np.array(
        [
            stats.kendalltau(range(methods), order).statistic
            for order in itertools.permutations(range(methods))
        ]
    )
    known = [
        value
        for value in np.unique(taus[taus > 0])
        if np.mean(np.abs(taus) >= value - 1e-9) <= 0.05
    ]
    assert smallest_tau(methods) == (pytest.approx(min(known)) if known else None)


def test_eight_methods_with_a_tau_of_43_cannot_be_told_from_nothing():
    assert smallest_tau(8) == pytest.approx(18 / 28)
    assert stats.kendalltau(range(8), [0, 4, 1, 3, 2, 7, 6, 5]).pvalue > 0.05


def test_mean_ranks_are_those_of_a_loop_over_resamples(make_run, records_dir):
    made = {"one": drawn(9, "abcd", 1), "two": drawn(14, "abcd", 2), "three": drawn(14, "abce", 3)}
    for dataset, values in made.items():
        write(make_run, dataset, values)
    (found,) = compare(records_dir).mean_ranks
    assert found.datasets == ("one", "three", "two")
    assert sorted(found.methods) == ["a", "b", "c"]
    drawn_ranks = np.zeros((RANK_RESAMPLES, 3))
    for place, name in enumerate(found.datasets):
        values = np.stack([made[name][method] for method in found.methods])
        draws = draws_of(values.shape[1], RANK_RESAMPLES, DRAW_SEED + place)
        own = stats.rankdata(-values.mean(axis=1), "min")
        assert [ranks[place] for ranks in found.ranks] == own.tolist()
        for k, draw in enumerate(draws):
            again = np.repeat(values, draw, axis=1).mean(axis=1)
            drawn_ranks[k] += stats.rankdata(-again.round(12), "min") / 3
    assert found.mean == pytest.approx([np.mean(ranks) for ranks in found.ranks])
    assert list(found.mean) == sorted(found.mean)
    low, high = np.percentile(drawn_ranks, [2.5, 97.5], axis=0)
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(high)


def test_data_sets_of_one_size_are_resampled_each_for_itself(make_run, records_dir):
    values = drawn(12, "abcde", 1, gap=0.01)
    for dataset in ("one", "two"):
        write(make_run, dataset, values)
    (agreement,) = compare(records_dir).agreements
    assert agreement.tau == pytest.approx(1)
    # the same resamples for both would give 1 in every one
    assert agreement.low < 1


def test_an_agreement_has_an_interval_over_subjects_and_a_p_over_orders(make_run, records_dir):
    names = [f"m{k}" for k in range(8)]
    write(make_run, "one", drawn(20, names, 1, gap=0.02))
    write(make_run, "two", drawn(20, names, 2, gap=0.02))
    comparison = compare(records_dir)
    (found,) = comparison.agreements
    assert found.methods == 8
    assert found.low <= found.tau <= found.high
    assert found.needed == pytest.approx(18 / 28)
    means = [
        [row.by_seed[0] for row in sorted(table.rows, key=lambda row: row.label)]
        for table in comparison.tables
    ]
    scores = [[np.mean(list(own.values())) for own in part] for part in means]
    wanted = stats.kendalltau(*scores)
    assert (found.tau, found.p) == pytest.approx((wanted.statistic, wanted.pvalue))


def test_one_data_set_has_nothing_across(make_run, records_dir):
    write(make_run, "one", drawn(9, "abc", 1))
    comparison = compare(records_dir)
    assert (comparison.mean_ranks, comparison.agreements, comparison.crossed) == ((), (), ())
