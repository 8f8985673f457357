"""The result as one sentence: every statement in it is a test's, and no test's is left out or turned round."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.compare import compare
from leaderboard.statistics.letters import letters_of
from leaderboard.words.headline import headline, verdict

NAMES = "abcdefgh"


def told(*pairs, among):
    """Return the verdict on the first methods of the alphabet, of whom each pair is (better, worse)."""
    worse = [set() for _ in range(among)]
    for better, other in pairs:
        worse[NAMES.index(other)].add(NAMES.index(better))
    return verdict(list(NAMES[:among]), worse)


def behind(*groups):
    """Return all pairs of methods of different groups, the earlier better."""
    return [
        pair
        for one, other in itertools.combinations(groups, 2)
        for pair in itertools.product(one, other)
    ]


@pytest.mark.parametrize(
    ("pairs", "among", "text"),
    [
        ([], 2, "a and b cannot be told apart"),
        ([], 3, "a, b and c cannot be told apart"),
        (["ab"], 2, "a is better than b"),
        (behind("abc", "d"), 4, "a, b and c cannot be told apart; d is worse than all three"),
        (behind("ab", "c"), 3, "a and b cannot be told apart; c is worse than both"),
        (behind("a", "bc"), 3, "a is better than both others; b and c cannot be told apart"),
        (behind("a", "b", "c"), 3, "all differ, from best to worst a, b and c"),
        (
            behind("ab", "cd"),
            4,
            "a and b cannot be told apart; c and d cannot be told apart, and are worse than both",
        ),
        (
            behind("a", "bc", "d"),
            4,
            "a is better than all three others; b and c cannot be told apart; d is worse than all three",
        ),
        (
            behind("ab", "c", "d", "e"),
            5,
            "a and b cannot be told apart; c, d and e follow, each worse than all before it",
        ),
        (["ac"], 3, "a, b and c are partly told apart (c is worse than a; no other two)"),
        (
            ["ac", "ad", "bd"],
            4,
            "a, b, c and d are partly told apart (c is worse than a; d is worse than a and b; no other two)",
        ),
    ],
)
def test_what_is_said(pairs, among, text):
    assert told(*pairs, among=among) == text


@st.composite
def outcomes(draw):
    """Draw which earlier methods are significantly better than each."""
    count = draw(st.integers(2, 6))
    return [draw(st.sets(st.integers(0, place - 1))) if place else set() for place in range(count)]


LIST = r"(?:[a-h], )*[a-h](?: and [a-h])?"
WORSE = rf"({LIST}) (?:is|are) worse than ({LIST})"
ABOVE = {"both": 2, "all three": 3, "all four": 4, "all five": 5}


def names_in(text):
    return re.findall(r"\b[a-h]\b", text)


def read(text, count):
    """Read the sentence back: the pairs (better, worse) that it says; None where it only counts them."""
    order = list(NAMES[:count])
    if text.startswith("all differ"):
        return set(itertools.combinations(order, 2))
    said = set()
    for part in re.split(r"; (?![^(]*\))", text):
        if "see the groups" in part:
            return None
        lead = re.fullmatch(r"(\w) is better than .*", part)
        if lead:
            said |= {(lead[1], other) for other in order if other != lead[1]}
            continue
        if part.endswith(" follow, each worse than all before it"):
            chain = names_in(part.partition(" follow")[0])
            said |= {(other, own) for own in chain for other in order[: order.index(own)]}
            continue
        own, _, above = re.sub("and all are worse", "and are worse", part).partition(
            ", and are worse than "
        )
        among = re.fullmatch(rf"({LIST}) are partly told apart \((.*); no other two\)", own)
        alike = re.fullmatch(rf"({LIST}) cannot be told apart", own)
        single = re.fullmatch(r"(\w) is worse than (.*)", own)
        if single:
            above = single[2]
        for losers, winners in re.findall(WORSE, among[2]) if among else ():
            said |= set(itertools.product(names_in(winners), names_in(losers)))
        if above:
            before = order[: ABOVE[above]] if above in ABOVE else [above]
            said |= set(itertools.product(before, names_in((among or alike or single)[1])))
    return said


@given(outcomes())
def test_the_sentence_says_the_tests_and_nothing_else(worse):
    count = len(worse)
    text = verdict(list(NAMES[:count]), worse)
    wanted = {
        (NAMES[better], NAMES[place]) for place, found in enumerate(worse) for better in found
    }
    found = read(text, count)
    if found is None:
        assert sum(int(one) for one in re.findall(r"(\d+) of \d+ pairs", text)) <= len(wanted)
        return
    assert found == wanted


@given(outcomes())
def test_the_first_leads_alone_if_and_only_if_it_shares_no_letter(worse):
    count = len(worse)
    apart = [(better, place) for place, found in enumerate(worse) for better in found]
    letters = letters_of(range(count), apart)
    alone = not any(set(letters[0]) & set(letters[place]) for place in range(1, count))
    text = verdict(list(NAMES[:count]), worse)
    assert text.startswith(("a is better than", "all differ")) == alone


def of(records_dir, **options):
    comparison = compare(records_dir, **options)
    return headline(comparison.tables[0], comparison.statistics[0])


def both(values):
    return {"raw": list(values), "median5": list(values)}


def test_sizes_and_verdict_come_from_the_table(make_run, records_dir):
    rng = np.random.default_rng(3)
    ease = rng.uniform(0.3, 0.6, 30)
    for method, lift in (("good", 0.2), ("same", 0.2), ("poor", 0.0)):
        for seed in range(3):
            make_run(method, both(ease + lift + rng.normal(0, 0.02, 30)), seed=seed)
    text = of(records_dir)
    assert text.startswith("n = 30 with a lesion, 3 seeds: ")
    assert set(re.split(" and ", text.partition(": ")[2].partition(" cannot")[0])) == {
        "good",
        "same",
    }
    assert text.endswith("cannot be told apart; poor is worse than both")
    make_run("half", 0.9, unranked="shown only", protocol={"subjects": {"val": 6, "test": 30}})
    assert of(records_dir).endswith("poor is worse than both; 1 without a rank")


def test_a_better_one_is_better_where_less_is_better(make_run, records_dir):
    ease = np.random.default_rng(3).uniform(0.3, 0.6, 30)
    make_run("good", both(ease + 0.2))
    make_run("poor", both(ease))
    assert of(records_dir, metric="ap").startswith(
        "n = 30 with a lesion, 1 seed, by AP per subject: good is"
    )


def test_nobody_one_and_too_few(make_run, records_dir):
    make_run("late", 0.5, unranked="shown only")
    assert of(records_dir).endswith(": no method has a rank")
    make_run("only", 0.5)
    assert of(records_dir).endswith(": only is the only method with a rank; 1 without a rank")


def test_one_subject_compares_nothing(make_run, records_dir):
    make_run("a", both([0.5]))
    make_run("b", both([0.6]))
    assert of(records_dir).endswith(": too few subjects to compare b and a")
