"""Sentences and cells: discordance, power, floors, methods without chance, further schemes on demand."""

from __future__ import annotations

import numpy as np
import pytest

from leaderboard.compare import compare
from leaderboard.statistics.family import Extra
from leaderboard.words.differences import (
    p_text,
    pair_cells,
    pair_heads,
    rank_cells,
    rank_heads,
    spread_cells,
)
from leaderboard.words.verdicts import sentences


@pytest.fixture
def discordant(make_run, records_dir):
    """A row that wins by a few subjects, another that most subjects favour."""
    rng = np.random.default_rng(0)
    steady = rng.uniform(0.4, 0.6, 40)
    lucky = steady - 0.02 - rng.uniform(0, 0.001, 40)
    lucky[:4] = steady[:4] + 0.4
    for method, values in (("steady", steady), ("lucky", lucky)):
        make_run(method, {"raw": values.tolist(), "median5": values.tolist()})
    return compare(records_dir)


def test_another_winner_is_named_in_the_row_and_in_a_sentence_and_nobody_is_bold(discordant):
    family = discordant.statistics[0].family
    assert discordant.tables[0].rows[0].label == "lucky"
    (cells,) = pair_cells(family)
    assert dict(zip(pair_heads(family), cells, strict=True))["Better"] == "Wilcoxon names steady"
    text = " ".join(sentences(family))
    assert "In 1 of 1 pair Wilcoxon's signed ranks call another row better" in text
    assert "steady, though the mean favours lucky" in text
    assert family.significantly_best is None
    assert [line[2] for line in rank_cells(family)] == ["a", "a"]


def test_further_schemes_and_equivalence_come_on_demand(discordant, records_dir):
    family = discordant.statistics[0].family
    assert rank_heads(family) == ("Method", "Mean", "Group", "Rank", "Significantly better than")
    asked = compare(records_dir, extra=Extra(schemes=True, margin=0.5)).statistics[0].family
    assert rank_heads(asked)[4:-1] == ("Rank by mean rank",)  # nothing is significant
    assert all(len(line) == len(rank_heads(asked)) for line in rank_cells(asked))
    assert [line[4] for line in rank_cells(asked)] == ["2", "1"]
    (cells,) = pair_cells(asked)
    assert dict(zip(pair_heads(asked), cells, strict=True))["p equivalent (Holm)"] == "<.001"
    assert "Equivalent within the margin asked for: 1 of 1 pair." in sentences(asked)


def test_no_difference_above_1_is_promised_to_be_found(make_run, records_dir):
    for name, values in (("a", [0.9, 0.1]), ("b", [0.1, 0.9])):
        make_run(name, {"raw": values}, protocol={"chains": ("raw",)})
    (statistics,) = compare(records_dir).statistics
    assert statistics.family.power.detectable > 1
    (text,) = (line for line in sentences(statistics.family) if line.startswith("Power:"))
    assert "no difference in Dice@val-dice between two typical rows is found, however large" in text


def test_power_is_said_of_what_there_is_and_of_what_it_takes(discordant):
    text = " ".join(sentences(discordant.statistics[0].family))
    assert "Power: with 40 subjects a difference of 0." in text
    assert "0.05 takes " in text
    assert "0.02 takes " in text
    assert "however large" not in text


def test_a_method_without_chance_says_no_seed_among_the_sources_of_variance(make_run, records_dir):
    rng = np.random.default_rng(1)
    own = rng.random(6)
    for seed in range(3):
        make_run("fixed", {"raw": own.tolist(), "median5": own.tolist()}, seed=seed)
        moved = (own * 0.8 + rng.normal(0, 0.01, 6)).tolist()
        make_run("trained", {"raw": moved, "median5": moved}, seed=seed)
    family = compare(records_dir).statistics[0].family
    cells = {line[0]: line[1:] for line in spread_cells(family)}
    assert cells["fixed"][0] == "no seed"
    assert cells["fixed"][2:] == ["–", "–"]
    assert cells["trained"][0] == "3"
    assert float(cells["trained"][3]) > 0


@pytest.mark.parametrize(
    ("p", "floor", "text"),
    [
        (0.0004, 0, "<.001"),
        (0.0312, 0, ".031"),
        (1.0, 0, "1"),
        (0.9996, 0, "1"),
        (0.5, 0, ".500"),
        (1 / 512, 1 / 512, "≤.002"),
        (2 / 512, 1 / 512, ".004"),
        (0.0001, 0.0001, "<.001"),
    ],
)
def test_p_values_as_text(p, floor, text):
    assert p_text(p, floor) == text
