"""Swaps of histograms against brute force, and the jackknife against its definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from andi_bench.metrics.histograms.grouped import GroupedCounts
from leaderboard.statistics.pooled_counts import degrees_of, pseudo_values
from leaderboard.statistics.pooled_swaps import STEPS, on_common_grid, swap_tests
from leaderboard.statistics.sign_flips import Trainings
from perf.made_up import made_up_counts

ONE_PAIR = Trainings(np.zeros(2), np.ones(2, dtype=int), np.array([0]), np.array([1]))


def precision_of(table):
    """Step-wise average precision of counts (2, G) by hand."""
    hits, marked = table.astype(float)
    total, last = 0.0, 0.0
    for h, m in zip(hits, marked, strict=True):
        if m:
            total += (h - last) * h / m
        last = h
    return total / hits[-1]


def test_all_swaps_are_those_of_brute_force():
    counts = made_up_counts(np.random.default_rng(0), 6, 2, np.zeros(2))
    tables = [on_common_grid([own], own.subjects) for own in counts]
    found = swap_tests(tables, [(0, 1)], ONE_PAIR)
    differences = []
    for swapped in itertools.product([False, True], repeat=6):
        pick = np.array(swapped)[:, None, None]
        first = np.where(pick, tables[1], tables[0]).sum(axis=0)
        second = np.where(pick, tables[0], tables[1]).sum(axis=0)
        differences.append(precision_of(first) - precision_of(second))
    differences = np.abs(differences)
    assert found.exact
    assert found.p[0] == pytest.approx((differences >= differences[0] * (1 - 1e-5)).mean())


@pytest.mark.parametrize("seed", range(4))
def test_swaps_that_change_nothing_are_ties(seed):
    """Two methods that agree in five of eight subjects: 8 swaps count, each 32 times, and so no p is below 2 / 8."""
    counts = made_up_counts(np.random.default_rng(seed), 8, 2, np.array([0.0, 0.3]))
    first, second = (on_common_grid([own], own.subjects) for own in counts)
    second[:5] = first[:5]
    found = swap_tests([first, second], [(0, 1)], ONE_PAIR)
    assert found.exact
    assert found.p[0] * 4 == pytest.approx(round(found.p[0] * 4))


def test_the_common_grid_keeps_the_figure_and_forgets_the_scale_of_the_scores():
    (counts,) = made_up_counts(np.random.default_rng(1), 30, 1, np.zeros(1))
    table = on_common_grid([counts], counts.subjects)
    assert table.shape == (30, 2, STEPS)
    once = float(counts.average_precision(np.ones((1, 30)))[0])
    assert precision_of(table.sum(axis=0)) == pytest.approx(once, abs=0.02)
    assert table[:, 0, -1].tolist() == counts.lesion.sum(axis=1).tolist()
    assert (np.diff(table, axis=2) >= -1e-3).all()


def test_a_tie_enters_as_a_whole():
    """A detection with two values: nothing lies between its voxels and the rest."""
    lesion = np.array([[30, 10], [5, 15]], dtype=np.uint32)
    healthy = np.array([[10, 950], [20, 960]], dtype=np.uint32)
    counts = GroupedCounts(("a", "b"), lesion, healthy, np.array([True, True]))
    table = on_common_grid([counts], ("a", "b")).sum(axis=0)
    assert set(table[0].tolist()) == {0, 35, 60}
    once = float(counts.average_precision(np.ones((1, 2)))[0])
    assert precision_of(table) == pytest.approx(once)


def test_a_better_method_is_found_and_a_copy_is_not():
    rng = np.random.default_rng(2)
    good, poor = made_up_counts(rng, 20, 2, np.zeros(2))
    bright = poor.lesion[:, ::-1].copy()  # its lesions lie among the lowest scores
    worse = GroupedCounts(poor.subjects, bright, poor.healthy, poor.tied)
    tables = [on_common_grid([own], own.subjects) for own in (good, worse)]
    assert swap_tests(tables, [(0, 1)], ONE_PAIR).adjusted[0] < 0.01
    assert swap_tests([tables[0], tables[0]], [(0, 1)], ONE_PAIR).adjusted[0] == 1


def test_pseudo_values_are_what_is_left_when_a_subject_is_left_out():
    (counts,) = made_up_counts(np.random.default_rng(3), 7, 1, np.zeros(1))
    found = pseudo_values([counts], counts.subjects)
    whole = float(counts.average_precision(np.ones((1, 7)))[0])
    for place in range(7):
        rest = [name for k, name in enumerate(counts.subjects) if k != place]
        without = float(counts.only(rest).average_precision(np.ones((1, 6)))[0])
        assert found[place, 0] == pytest.approx(7 * whole - 6 * without)
    assert pseudo_values([counts], ["somebody", "else"]) is None


def test_degrees_of_freedom_are_those_of_equal_lesions():
    def of(*lesions):
        lesion = np.array(lesions, dtype=np.uint32)[:, None]
        names = tuple(map(str, range(len(lesions))))
        return degrees_of(GroupedCounts(names, lesion, lesion, np.array([False])))

    assert of(10, 10, 10, 10) == pytest.approx(3)
    assert of(1000, 1, 1, 1) == 1
    assert of(0, 0) == 1
