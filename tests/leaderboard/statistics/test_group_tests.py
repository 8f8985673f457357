"""Groups held against the other subjects: against scipy, all labellings listed, and benchmarks of which the truth is known."""

import itertools

import numpy as np
import pytest
from scipy import stats

from leaderboard.compare import compare
from leaderboard.statistics.group_tests import group_tests, permuted_groups

CHAINS = {"chains": ("raw",)}


def on_normal_scale(values, inside):
    """Return |t| of Welch's test brought to the normal's scale (Wallace, 1959), by scipy."""
    found = stats.ttest_ind(values[inside], values[~inside], equal_var=False)
    scale = (8 * found.df + 1) / (8 * found.df + 3)
    return np.sqrt(found.df * np.log1p(found.statistic**2 / found.df)) * scale


def test_p_is_the_share_of_all_labellings_that_are_as_extreme():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(9, 3)) + np.array([0, 0.5, 1.5]) * (np.arange(9) < 4)[:, None]
    member = (np.arange(9) < 4)[None]
    difference, p, adjusted = permuted_groups(values, member, 20_000)
    every = []
    for chosen in itertools.combinations(range(9), 4):
        inside = np.isin(np.arange(9), chosen)
        every.append([on_normal_scale(column, inside) for column in values.T])
    every = np.array(every)
    observed = np.array([on_normal_scale(column, member[0]) for column in values.T])
    assert difference[0] == pytest.approx(values[:4].mean(axis=0) - values[4:].mean(axis=0))
    assert p[0] == pytest.approx((every >= observed - 1e-9).mean(axis=0), abs=0.012)
    # step-down: the largest of all, then of those that are left
    order, wanted, last = np.argsort(-observed), np.empty(3), 0.0
    for place, q in enumerate(order):
        left = every[:, order[place:]].max(axis=1)
        last = max(last, (left >= observed[q] - 1e-9).mean())
        wanted[q] = last
    assert adjusted[0] == pytest.approx(wanted, abs=0.012)


def test_two_groups_of_several_are_corrected_together():
    rng = np.random.default_rng(2)
    codes = np.repeat([0, 1, 2], 7)
    values = rng.normal(size=(21, 2))
    values[codes == 1, 0] += 3
    _, p, adjusted = permuted_groups(values, codes == np.arange(3)[:, None], 999)
    assert adjusted[1, 0] == pytest.approx(1 / 1000)
    assert (adjusted >= p).all()
    assert adjusted[:, 1].min() > 0.05


def test_equal_values_differ_in_nothing():
    values = np.full((12, 2), 0.1)
    values[:, 1] = np.arange(12) < 6
    difference, p, _ = permuted_groups(values, (np.arange(12) < 6)[None], 199)
    assert (difference[0, 0], p[0, 0]) == (pytest.approx(0), 1)
    assert p[0, 1] < 0.05


def errors(sizes, sds, main, cases, permutations=199, methods=3):
    """Return how often something is found that is none: between methods always, in methods where groups are equally hard."""
    rng = np.random.default_rng([*sizes, *sds])
    codes = np.repeat(np.arange(len(sizes)), sizes)
    member = codes == np.arange(len(sizes))[:, None]
    harder, wider = np.array(main)[codes][:, None], np.array(sds)[codes][:, None]
    wrong = 0
    for _ in range(cases):
        own = rng.beta(1.5, 2, (len(codes), 1)) + harder
        values = own + rng.normal(0, 0.1, (len(codes), methods)) * wider
        pairs = itertools.combinations(range(methods), 2)
        apart = [values[:, i] - values[:, j] for i, j in pairs]
        _, _, adjusted = permuted_groups(np.column_stack([values, *apart]), member, permutations)
        wrong += (adjusted[:, methods if any(main) else 0 :] < 0.05).any()
    return wrong / cases


@pytest.mark.parametrize("main", [(0.0, 0.0, 0.0), (0.3, 0.0, 0.0)])
def test_about_one_in_twenty_benchmarks_without_an_interaction_shows_one(main):
    assert errors((8, 8, 8), (1, 1, 1), main, 200, 99) <= 0.05 + 3.5 * (0.05 * 0.95 / 200) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("main", [(0.0, 0.0, 0.0), (0.3, 0.0, 0.0)])
@pytest.mark.parametrize("sds", [(1, 1, 1), (3, 1, 1), (1, 3, 3)])
@pytest.mark.parametrize("sizes", [(5, 20, 20), (6, 6, 6), (10, 20, 30), (60, 60, 130)])
def test_the_family_wise_error_is_near_5_percent_where_groups_differ_in_spread_too(
    sizes, sds, main
):
    # equal groups of six whose spreads differ threefold: up to 7.5 %
    allowed = 0.075 if sizes == (6, 6, 6) and sds != (1, 1, 1) else 0.05
    assert errors(sizes, sds, main, 800) <= allowed + 3 * (0.05 * 0.95 / 800) ** 0.5


def write(make_run, seeds=(0,)):
    rng = np.random.default_rng(8)
    ease = rng.beta(3, 3, 20)
    for seed in seeds:
        for place, method in enumerate("abc"):
            noise = rng.normal(0, 0.03, 20)
            values = np.clip(ease - 0.02 * place + noise, 0, 1)
            if method == "b":
                values[:6] = np.clip(values[:6] - 0.25, 0, 1)
            make_run(method, {"raw": values.tolist()}, seed=seed, protocol=CHAINS)


GROUPS = {
    "one": {f"S{k}" for k in range(6)},
    "two": {f"S{k}" for k in range(6, 17)},
    "rest": {f"S{k}" for k in range(17, 20)},
}


def test_a_difference_that_depends_on_the_group_is_found_and_named(make_run, records_dir):
    write(make_run)
    (table,) = compare(records_dir).tables
    found = group_tests(table, "site", GROUPS)
    assert found.subjects == 20
    assert found.too_few == (("rest", 3),)
    named = {
        (one.group, one.first[0], one.second and one.second[0])
        for one in found.contrasts
        if one.adjusted < 0.05
    }
    assert {("one", "a", "b"), ("one", "c", "b")} & named or {("one", "b", "c")} & named
    assert not any({"a", "c"} == {first, second} for _, first, second in named)
    assert {one.group for one in found.contrasts} == {"one", "two"}
    means = {row.label: row.by_seed[0] for row in table.rows}
    for one in found.contrasts:
        values = {name: means[one.first[0]][name] for name in means[one.first[0]]}
        if one.second is not None:
            values = {name: v - means[one.second[0]][name] for name, v in values.items()}
        inside = [v for name, v in values.items() if name in GROUPS[one.group]]
        others = [v for name, v in values.items() if name not in GROUPS[one.group]]
        assert (one.subjects, one.others) == (len(inside), len(others))
        assert one.difference == pytest.approx(np.mean(inside) - np.mean(others))


def test_two_groups_that_are_everybody_are_one_question(make_run, records_dir):
    write(make_run, seeds=(0, 1))
    (table,) = compare(records_dir).tables
    halves = {"one": GROUPS["one"], "other": GROUPS["two"] | GROUPS["rest"]}
    found = group_tests(table, "sex", halves)
    assert {one.group for one in found.contrasts} == {"one"}
    assert len(found.contrasts) == 3 + 3


def test_subjects_of_unknown_group_are_left_out_and_small_groups_not_tested(make_run, records_dir):
    write(make_run)
    (table,) = compare(records_dir).tables
    found = group_tests(table, "site", {"one": GROUPS["one"], "rest": GROUPS["rest"]})
    assert found.subjects == 9
    assert found.contrasts == ()
    assert found.too_few == (("rest", 3),)
