"""Values of the subjects: averaged over seeds, kept in little room, summed over all lesions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from andi_bench.metrics.compared import metric_at
from leaderboard.tables.seeds import counted_estimate
from leaderboard.tables.subject_values import ByName, SubjectTable, over_the_seeds

NUMBERS = st.dictionaries(st.sampled_from("dbeca"), st.floats(-1e6, 1e6), max_size=5)
KEY = "lesion_sensitivity <0.1 ml@val-dice"


@settings(max_examples=30, deadline=None)
@given(NUMBERS)
def test_numbers_by_name_are_the_mapping_they_were_made_of(numbers):
    found = ByName(tuple(numbers), numbers.values())
    assert found == numbers
    assert dict(found) == numbers
    assert list(found.items()) == list(numbers.items())
    assert found.get("not there") is None
    with pytest.raises(KeyError):
        found["not there"]


@settings(max_examples=30, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_means_over_seeds_are_of_the_subjects_that_all_seeds_have(seeds):
    shared = sorted(set.intersection(*map(set, seeds)))
    found = over_the_seeds(seeds)
    assert list(found) == shared
    for name in shared:
        assert found[name] == math.fsum(seed[name] for seed in seeds) / len(seeds)
    assert over_the_seeds([]) == {}


def table_of(lesions, found) -> SubjectTable:
    """Subjects with so many small lesions, of which so many were found."""
    point = metric_at(KEY).point
    columns = {"lesion_ml": 0, "lesions <0.1 ml": 1, "lesions_found <0.1 ml": 2}
    lines = [
        (f"S{k}", ["1.0", str(n), str(f)])
        for k, (n, f) in enumerate(zip(lesions, found, strict=True))
    ]
    return SubjectTable({("raw", point.name if point else ""): lines}, columns)


def test_a_share_of_all_lesions_has_the_degrees_of_freedom_of_the_subjects_that_carry_them():
    """Coverage was .89 at 10 subjects, most lesions in few of them, with one degree a subject."""
    lesions, found = [1, 2, 1, 3, 12, 2, 1, 6], [0, 1, 1, 2, 8, 0, 1, 5]
    estimate = counted_estimate([table_of(lesions, found)], "raw", metric_at(KEY))
    weight = np.array(lesions, dtype=float)
    share = sum(found) / weight.sum()
    assert estimate.value == pytest.approx(share)
    error = np.sqrt(np.square(np.array(found) - share * weight).sum() / (8 * 7)) / weight.mean()
    degrees = weight.sum() ** 2 / np.square(weight).sum() - 1
    assert degrees < 3
    reach = stats.t.ppf(0.975, degrees) * error / (share * (1 - share))
    logit = np.log(share / (1 - share))
    wanted = 1 / (1 + np.exp(-(logit + np.array([-reach, reach]))))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(wanted))


def test_subjects_without_a_lesion_or_without_a_number_are_in_no_sum():
    table = table_of([2, 0, 4], [1, 0, 1])
    metric = metric_at(KEY)
    assert table.sums("raw", metric) == {"S0": (1.0, 2.0), "S2": (1.0, 4.0)}
    bare = table_of([2, "", 4], [1, 0, ""])
    assert bare.sums("raw", metric) == {"S0": (1.0, 2.0)}
