"""Letters against their definition: shared if and only if two methods are not significantly different."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from leaderboard.statistics.letters import letters_of


def test_three_methods_of_which_the_ends_differ_make_two_groups():
    assert letters_of([0, 1, 2], [(0, 2)]) == {0: "a", 1: "ab", 2: "b"}


def test_nothing_significant_is_one_group_and_everything_is_a_group_each():
    assert letters_of([2, 0, 1], []) == {2: "a", 0: "a", 1: "a"}
    assert letters_of([2, 0, 1], [(0, 1), (2, 1), (0, 2)]) == {2: "a", 0: "b", 1: "c"}


@given(
    st.integers(2, 7).flatmap(
        lambda n: st.tuples(
            st.permutations(range(n)),
            st.sets(st.sampled_from(list(itertools.combinations(range(n), 2)))),
        )
    )
)
def test_a_letter_is_shared_exactly_by_methods_that_are_not_told_apart(case):
    order, apart = case
    letters = letters_of(order, apart)
    assert letters[order[0]].startswith("a")
    for pair in itertools.combinations(sorted(order), 2):
        shared = set(letters[pair[0]]) & set(letters[pair[1]])
        assert bool(shared) is (pair not in apart)
    used = set("".join(letters.values()))
    members = [frozenset(m for m in order if mark in letters[m]) for mark in used]
    assert not any(a < b for a, b in itertools.permutations(members, 2))
    assert len(set(members)) == len(members)
