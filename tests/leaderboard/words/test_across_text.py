"""What is said of several data sets together, in every export."""

import json

import pytest
from support.small_evaluation import record_of

from leaderboard.compare import compare
from leaderboard.exports.json_text import to_json
from leaderboard.exports.latex import to_latex
from leaderboard.exports.markdown_details import to_details
from leaderboard.exports.page.content import page_content
from leaderboard.exports.terminal import print_comparison
from leaderboard.statistics.family import Agreement, Extra
from leaderboard.words.across_text import (
    agreement_sentence,
    cross_listing,
    ranks_listing,
)


def agreement(tau, p, methods=8, needed=18 / 28):
    return Agreement("one", "two", "raw", methods, tau, low=0.1, high=0.7, p=p, needed=needed)


def test_a_tau_that_few_methods_could_have_by_chance_is_said_to_be_none():
    text = agreement_sentence(agreement(0.43, 0.179))
    assert "tau .43 [.10, .70]: cannot be told from 0" in text
    assert "8 methods show a tau of .64 or more" in text


def test_more_than_chance_too_few_methods_and_ties_are_said():
    assert "more than chance (p .031)" in agreement_sentence(agreement(0.64, 0.031))
    assert "cannot show any agreement" in agreement_sentence(agreement(1.0, 0.33, 3, None))
    assert "ties all" in agreement_sentence(Agreement("one", "two", "raw", 4, None))
    assert "tau -.20" in agreement_sentence(agreement(-0.2, 0.7))


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    for place, method in enumerate(("good", "fair", "poor")):
        for dataset, first in (("here", 0), ("there", 4)):
            names = [f"t{k}" for k in range(first, first + 4) if k != 3]
            record_of(folder, method, 3.0 - place, dataset=dataset, test=names)
    return compare(folder, extra=Extra(carry_thresholds=True))


def test_cells_fit_their_heads(comparison):
    for ranks in comparison.mean_ranks:
        found = ranks_listing(ranks)
        assert {len(line) for line in found.cells} == {len(found.heads)}
    for table in comparison.crossed:
        lines = cross_listing(table).cells
        assert {len(line) for line in lines} == {len(cross_listing(table).heads)}
        # own threshold, that of either data set, AP
        assert [line[3] for line in lines[:4]] == ["each its own", "here", "there", ""]
        assert [line[0] for line in lines[:5]] == ["fair", "", "", "", "good"]


def test_every_export_holds_ranks_agreement_and_the_crossed_table(comparison, tmp_path):
    (raw, *_) = comparison.crossed
    ranks = ranks_listing(comparison.mean_ranks[0]).cells[0][1]
    figure = cross_listing(raw).cells[1][4]
    sentence = agreement_sentence(comparison.agreements[0])
    with (tmp_path / "out.txt").open("w") as file:
        print_comparison(comparison, file)
    terminal = " ".join((tmp_path / "out.txt").read_text().split())
    content = page_content(comparison)
    shown = str(content["across"]) + str(content["agreements"])
    for text in (terminal, to_details(comparison).replace("\\", ""), shown):
        for wanted in (ranks, figure, sentence[:40]):
            assert wanted in text
    latex = to_latex(comparison)
    assert figure.partition(" ")[0] in latex
    assert "Ranks over the data sets, each method with the pipeline that validation chose" in latex
    found = json.loads(to_json(comparison))
    assert found["mean_ranks"][0]["datasets"] == ["here", "there"]
    assert found["crossed"][0]["lines"][0]["cells"][0]["value"] > 0
