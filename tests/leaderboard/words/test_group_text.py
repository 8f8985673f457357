"""Sub-groups and the publication's protocol as rows of text, under heads that fit."""

import json
from dataclasses import replace

import pytest
from support.small_evaluation import TEST, record_of, scored

from andi_bench.config import EvaluationConfig
from andi_bench.metrics.points import RANKING
from andi_bench.records.store import Paper, PaperChain
from benchmark.evaluation.paper_protocol import paper_run
from leaderboard.compare import compare
from leaderboard.exports.json_text import to_json
from leaderboard.exports.markdown import to_markdown
from leaderboard.exports.page.content import page_content
from leaderboard.exports.terminal import print_comparison
from leaderboard.tables.cells import DASH
from leaderboard.tables.seeds import Estimate
from leaderboard.words.group_text import (
    CONTRAST_HEADS,
    CONTRAST_NUMBERS,
    GROUP_HEADS,
    GROUP_NUMBERS,
    PAPER_HEADS,
    PAPER_NUMBERS,
    contrast_cells,
    contrast_sentences,
    group_cells,
    paper_cells,
)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    names = [f"t{k}" for k in (*range(12), 12, 14, 16)]
    for method, skill in (("good", 4.0), ("poor", 1.0)):
        record_of(folder, method, skill, test=names)
    return compare(folder, by="site")


def test_a_group_is_named_once_with_its_subjects(comparison):
    (table,) = comparison.groups
    lines = group_cells(table)
    assert all(len(line) == len(GROUP_HEADS) for line in lines)
    assert [line[:2] for line in lines] == [
        ["A", "9"],
        ["", ""],
        ["B", "6"],
        ["", ""],
    ]
    for line, row in zip(lines, table.rows, strict=True):
        assert line[2:4] == [row.label, row.chain]
        assert line[4].startswith(f"{row.figures[RANKING].value:.3f} [")


def test_a_group_of_too_few_is_one_line_that_says_so(tmp_path):
    record_of(tmp_path, "mine")
    (table,) = compare(tmp_path, by="site").groups
    assert group_cells(table) == [
        [name, "2", "n = 2: too few", *[""] * (len(GROUP_HEADS) - 3)] for name in "AB"
    ]


def test_a_figure_that_too_few_of_a_group_have_is_their_number(comparison):
    (table,) = comparison.groups
    row = table.rows[0]
    few = replace(
        row,
        figures={key: Estimate() for key in row.figures},
        counts=dict.fromkeys(row.counts, 4),
    )
    assert group_cells(replace(table, rows=(few,)))[0][4:] == ["n = 4: too few"] * 3


def test_what_the_tests_of_groups_found_is_said(comparison):
    (found,) = comparison.group_tests
    sentences = contrast_sentences(found)
    count = sum(one.adjusted < 0.05 for one in found.contrasts)
    assert f"{count} of {len(found.contrasts)} statements significant" in sentences[0]
    assert len(sentences) == 1 + (count or 1)
    lines = contrast_cells(found)
    assert all(len(line) == len(CONTRAST_HEADS) for line in lines)
    assert [line[2] for line in lines].count("good less poor") == 1


def test_significant_statements_name_group_size_and_direction(comparison):
    (found,) = comparison.group_tests
    contrast = replace(found.contrasts[0], difference=-0.2, adjusted=0.01)
    text = contrast_sentences(replace(found, contrasts=(contrast,)))[1]
    assert "lower by 0.200 in A (n = 9) than elsewhere (n = 5) (p .010)" in text


def test_groups_that_are_all_too_small_are_not_tested(tmp_path):
    record_of(tmp_path, "mine")
    comparison = compare(tmp_path, by="site")
    (found,) = comparison.group_tests
    sentences = contrast_sentences(found)
    assert sentences[:2] == [
        "A: n = 2, too few to be tested.",
        "B: n = 1, too few to be tested.",
    ]
    assert sentences[2].startswith("No test by site")
    assert "too few to be tested" in to_markdown(comparison)


def test_every_export_says_what_the_tests_of_groups_found(comparison, tmp_path):
    (found,) = comparison.group_tests
    sentence = contrast_sentences(found)[0]
    with (tmp_path / "out.txt").open("w") as file:
        print_comparison(comparison, file)
    assert sentence in " ".join((tmp_path / "out.txt").read_text().split())
    assert sentence in to_markdown(comparison)
    shown = page_content(comparison)["tables"][0]["groups"][0]
    assert shown["sentences"][0] == sentence
    assert len(shown["contrasts"]["lines"]) == len(found.contrasts)
    assert len(json.loads(to_json(comparison))["group_tests"][0]["contrasts"]) == len(
        found.contrasts
    )


@pytest.mark.parametrize(
    ("heads", "numbers"),
    [
        (GROUP_HEADS, GROUP_NUMBERS),
        (PAPER_HEADS, PAPER_NUMBERS),
        (CONTRAST_HEADS, CONTRAST_NUMBERS),
    ],
)
def test_columns_of_numbers_are_columns(heads, numbers):
    assert set(numbers) < set(heads)
    assert len(set(heads)) == len(heads)


def test_runs_without_the_publications_protocol_give_no_rows(make_run, records_dir):
    make_run("a", 0.5)
    assert paper_cells(compare(records_dir).tables[0]) == []


def test_the_publications_protocol_is_a_row_a_chain(make_run, records_dir):
    found = paper_run(scored, TEST, EvaluationConfig(median=3), None).record()
    make_run("a", 0.5, paper=found, label="A method")
    lines = paper_cells(compare(records_dir).tables[0])
    assert all(len(line) == len(PAPER_HEADS) for line in lines)
    assert [line[:4] for line in lines] == [
        ["A method", "0", chain, "0.01 to 0.3"] for chain in ("raw", "median3")
    ]
    for line, chain in zip(lines, found.chains.values(), strict=True):
        assert line[4] == f"{chain.dice:.3f}"
        assert line[5].endswith("(edge)") == chain.edge


def test_edges_unscaled_maps_and_what_is_undefined_are_said(make_run, records_dir):
    chain = PaperChain(threshold=0.8, dice=0.25, edge=True, yen_dice=0.125, auprc=None)
    make_run("a", 0.5, paper=Paper(window=(0.8, 1.0), min_max=False, chains={"raw": chain}))
    assert paper_cells(compare(records_dir).tables[0]) == [
        ["a", "0", "raw", "0.8 to 1, not scaled", "0.250", "0.800 (edge)", "0.125", DASH]
    ]


def test_scores_outside_the_brain_are_said_beside_the_window(make_run, records_dir):
    chain = PaperChain(threshold=0.1, dice=0.25, edge=False, yen_dice=0.125, auprc=0.5)
    paper = Paper(window=(0.01, 0.3), min_max=True, chains={"raw": chain})
    make_run("a", 0.5, paper=paper, config={"scoring": {"published_outside": True}})
    (line,) = paper_cells(compare(records_dir).tables[0])
    assert line[3] == "0.01 to 0.3, with scores outside the brain"
