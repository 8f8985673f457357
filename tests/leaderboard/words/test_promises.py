"""What is said of coverage is what the simulations measured; the file is theirs."""

from __future__ import annotations

import itertools

import pytest

from leaderboard.words.how import how_tested
from leaderboard.words.promises import promises, simulations
from perf.coverage import SEED_SDS, SEEDS, SUBJECTS, covered_shares


def test_every_setting_is_in_the_file():
    found = simulations()
    settings = {(n, 1, 0.0) for n in SUBJECTS}
    settings |= {(n, SEEDS, sd) for n, sd in itertools.product(SUBJECTS, SEED_SDS)}
    for kind, shapes in (("shares", 5), ("amounts", 3)):
        by_shape: dict[str, set] = {}
        for cell in found[kind]:
            by_shape.setdefault(cell["shape"], set()).add(
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
    for cell in found["pooled"]:
        assert f"{cell['subjects']} subjects {100 * cell['covered']:.1f} %" in first
    wrong = [cell["different"] for cell in found["twice"]]
    assert f"{100 * min(wrong):.1f} to {100 * max(wrong):.1f} %" in second
    assert set(promises()) <= set(how_tested())


def test_what_was_false_is_said_no_more():
    text = " ".join(how_tested())
    for words in ("however large", "Nemenyi", "Friedman", "percentile"):
        assert words not in text


def test_one_method_trained_twice_is_two_in_at_most_7_percent():
    assert max(cell["different"] for cell in simulations()["twice"]) <= 0.07


def test_families_of_equal_methods_find_a_difference_in_about_5_percent():
    found = simulations()
    noise = 3 * (0.05 * 0.95 / found["cases_of_tests"]) ** 0.5
    assert max(cell["wrong"] for cell in found["families"]) <= 0.05 + max(noise, 0.02)
    assert max(cell["wrong"] for cell in found["pooled_tests"]) <= 0.05 + noise
