"""What is said of coverage is what the simulations measured; the file is theirs."""

from __future__ import annotations

import itertools

import pytest

from leaderboard.words.how import how_tested
from leaderboard.words.promises import GOOD, INTERVALS, outside, promises, simulations
from perf.coverage_intervals import covered_shares
from perf.coverage_page import BEGIN, END, PAGE, section_of
from perf.made_up import SEED_SDS, SEEDS, SUBJECTS


def test_every_setting_is_in_the_file():
    found = simulations()
    settings = {(n, 1, 0.0) for n in SUBJECTS}
    settings |= {(n, SEEDS, sd) for n, sd in itertools.product(SUBJECTS, SEED_SDS)}
    shapes_of = {"shares": 5, "amounts": 3, "counted": 1, "differences": 2, "yes_or_no": 3}
    assert shapes_of.keys() | {"pooled"} == INTERVALS.keys()
    for kind, shapes in shapes_of.items():
        by_shape: dict[str, set] = {}
        for cell in found[kind]:
            by_shape.setdefault(cell.get("shape", ""), set()).add(
                (cell["subjects"], cell["seeds"], cell["sd"])
            )
        assert len(by_shape) == shapes
        assert all(own == settings for own in by_shape.values())


@pytest.mark.parametrize(
    ("shape", "subjects", "seeds", "sd"), [("mostly low", 8, 1, 0.0), ("a tenth 0", 30, 3, 0.02)]
)
def test_a_setting_measured_again_gives_what_the_file_says(shape, subjects, seeds, sd):
    (cell,) = [
        one
        for one in simulations()["shares"]
        if (one["shape"], one["subjects"], one["seeds"], one["sd"]) == (shape, subjects, seeds, sd)
    ]
    cases = 400
    again = covered_shares(shape, subjects, seeds, sd, cases)
    assert again == pytest.approx(cell["covered"], abs=4 * (0.05 * 0.95 / cases) ** 0.5)


def test_the_sentences_quote_the_file():
    found = simulations()
    first, second = promises()
    assert f"{found['cases']:,} each" in first
    for seeds in (1, SEEDS):
        own = [cell["covered"] for cell in found["shares"] if cell["seeds"] == seeds]
        assert f"{100 * min(own):.1f} to {100 * max(own):.1f} %" in first
    for kind in INTERVALS:
        for several in (False, True):
            own = [cell for cell in found[kind] if (cell["seeds"] > 1) is several]
            bad = [cell["covered"] for cell in outside(own)]
            covered = [cell["covered"] for cell in own]
            assert f"{100 * min(covered):.1f} to {100 * max(covered):.1f} % with" in first
            assert not bad or f"outside 93 to 97 % in {len(bad)} of {len(own)} settings" in first
    wrong = [cell["different"] for cell in found["twice"]]
    assert f"{100 * min(wrong):.1f} to {100 * max(wrong):.1f} %" in second
    for kind, key in (("families", "wrong"), ("pooled_tests", "wrong"), ("equivalent", "wrong")):
        wrong = [cell[key] for cell in found[kind]]
        assert f"{100 * min(wrong):.1f} to {100 * max(wrong):.1f} %" in second
    assert set(promises()) <= set(how_tested())


def test_the_page_for_readers_quotes_the_file():
    text = PAGE.read_text(encoding="utf-8")
    found = simulations()
    shown = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()
    assert shown == section_of(found)
    number = sum(bool(outside(found[kind])) for kind in INTERVALS)
    assert 0 < shown.count("**") // 2 - 1 <= sum(len(outside(found[k])) for k in INTERVALS)
    assert number > 0
    assert all(f"{100 * limit:.0f}" in shown for limit in GOOD)


def test_what_was_false_is_said_no_more():
    text = " ".join(how_tested())
    for words in ("however large", "Nemenyi", "Friedman", "percentile"):
        assert words not in text


def test_one_method_trained_twice_is_two_in_at_most_7_percent():
    assert max(cell["different"] for cell in simulations()["twice"]) <= 0.07


def test_families_of_equal_methods_find_a_difference_in_about_5_percent():
    found = simulations()
    noise = 3.5 * (0.05 * 0.95 / found["cases_of_tests"]) ** 0.5
    # swaps of two methods' histograms are exact for a pair, not for the largest of several pairs: with few subjects and one
    # seed a family errs somewhat more often, which the page says
    few = [cell for cell in found["pooled_tests"] if cell["subjects"] < 30]
    assert max(cell["wrong"] for cell in few) <= 0.1
    many = {**found, "pooled_tests": [cell for cell in found["pooled_tests"] if cell not in few]}
    for kind in ("families", "pooled_tests", "equivalent"):
        assert max(cell["wrong"] for cell in many[kind]) <= 0.05 + noise, kind
    assert max(cell["by_ranks"] or 0 for cell in found["families"]) <= 0.05 + noise
