"""The checklist: what records tell is filled in, what they cannot is marked as open, and nothing is made up."""

from __future__ import annotations

import re

import pytest
from support.synthetic_records import Size, write_benchmark

from leaderboard.compare import compare
from leaderboard.exports.checklist import CLAIM, METRICS_RELOADED, to_checklist
from leaderboard.tables.cells import with_interval
from leaderboard.words.headline import headline

ITEMS = [item for part in (CLAIM, METRICS_RELOADED) for _, items in part for item in items]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    write_benchmark(folder, Size(methods=3, subjects=27, seeds=2, validation=4, voxels=600))
    return compare(folder)


def boxes(text):
    """Return item to its line."""
    return {line[6:].partition(".")[0]: line for line in text.splitlines() if line[:3] == "- ["}


def test_every_item_is_ticked_or_open_and_the_count_is_right(comparison):
    text = to_checklist(comparison)
    lines = [line for line in text.splitlines() if line.startswith("- [")]
    assert len(lines) == len(ITEMS)
    ticked = [line for line in lines if line.startswith("- [x] ")]
    assert all("**OPEN" not in line for line in ticked)
    assert all("**OPEN" in line for line in lines if line not in ticked)
    assert f"{len(ticked)} of {len(lines)} items answered" in text
    assert 15 < len(ticked) < len(lines) - 15


def test_what_stands_there_is_the_tables(comparison):
    (table,), (statistics,) = comparison.tables, comparison.statistics
    found = boxes(to_checklist(comparison))
    row = table.rows[0]
    best = found["Performance with its uncertainty"]
    assert (
        f"{row.label} {with_interval(row.figures['dice@val-dice'])}".replace("[", r"\[").replace(
            "]", r"\]"
        )
        in best
    )
    assert headline(table, statistics) in found["Abstract: design, methods, results, conclusions"]
    values = row.values["dice@val-dice"]
    worst = min(values, key=lambda name: (values[name], name))
    assert f"{row.label}: {worst} {values[worst]:.3f}" in found["Analysis of failures"]
    assert "passed by 6 of 6 runs" in found["Level at which the partitions are disjoint"]
    assert "24 subjects with a lesion, 3 without" in " ".join(found.values())
    assert re.search(r"method A 1 \\\[1, \d\\\]", " ".join(found.values()))


def test_what_no_record_can_tell_is_open(comparison):
    found = boxes(to_checklist(comparison))
    for item in ("De-identification", "Funding, and the role of funders", "Aims and hypotheses"):
        assert found[item] == f"- [ ] {item}. **OPEN**."
    assert "**OPEN**." in found["Test on data of another source"]
    assert "**OPEN in part**: how it was decided. From the records: 24" in " ".join(found.values())


def test_a_record_that_tells_little_leaves_more_open_and_markup_stays_text(make_run, records_dir):
    make_run("a", 0.5, label="<b>x</b> [l](http://e)", notes=("<i>n</i>",), guards=())
    text = to_checklist(compare(records_dir))
    found = boxes(text)
    assert "**OPEN**" in found["Level at which the partitions are disjoint"]
    assert "**OPEN**" in found["How the final model was chosen"]
    assert "<b>" not in text
    assert "](http" not in text.replace(r"\](http", "")


def test_each_data_set_has_a_list_of_its_own_and_tables_that_differ_have_none(
    make_run, records_dir
):
    make_run("a", 0.5, dataset="one")
    make_run("a", 0.5, dataset="one", protocol={"grid": "native"})
    make_run("a", 0.5, dataset="two")
    text = to_checklist(compare(records_dir))
    assert re.findall(r"^## (.*)$", text, re.M) == ["one title", "two title"]
