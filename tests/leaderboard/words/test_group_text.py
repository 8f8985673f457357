"""Sub-groups and the publication's protocol as rows of text, under heads that fit."""

import pytest
from support.small_evaluation import TEST, record_of, scored

from andi_bench.config import EvaluationConfig
from andi_bench.metrics.points import RANKING
from andi_bench.records.store import Paper, PaperChain
from benchmark.evaluation.paper_protocol import paper_run
from leaderboard.compare import compare
from leaderboard.tables.cells import DASH
from leaderboard.words.group_text import (
    GROUP_HEADS,
    GROUP_NUMBERS,
    PAPER_HEADS,
    PAPER_NUMBERS,
    group_cells,
    paper_cells,
)


def test_a_group_is_named_once_with_its_subjects(tmp_path):
    for method, skill in (("good", 4.0), ("poor", 1.0)):
        record_of(tmp_path, method, skill)
    (table,) = compare(tmp_path, by="site").groups
    lines = group_cells(table)
    assert all(len(line) == len(GROUP_HEADS) for line in lines)
    assert [line[:2] for line in lines] == [
        ["A", "2"],
        ["", ""],
        ["B", "2"],
        ["", ""],
    ]
    for line, row in zip(lines, table.rows, strict=True):
        assert line[2:4] == [row.label, row.chain]
        assert line[4] == f"{row.figures[RANKING].value:.3f}"


@pytest.mark.parametrize(
    ("heads", "numbers"), [(GROUP_HEADS, GROUP_NUMBERS), (PAPER_HEADS, PAPER_NUMBERS)]
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
