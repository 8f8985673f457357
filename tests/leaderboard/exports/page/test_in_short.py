"""What is asked first: each answer is that of the table's tests, figures and costs, and what is unknown is said to be so."""

from __future__ import annotations

import pytest
from support.synthetic_records import Size, write_benchmark

from andi_bench.records.store import DataInfo
from leaderboard.compare import compare
from leaderboard.exports.page import in_short as words
from leaderboard.exports.page.in_short import in_short, memory_text
from leaderboard.exports.page.main_content import main_content
from leaderboard.words.main_table import FALSE_ML

SIZE = Size(methods=4, subjects=45, seeds=1, validation=4, voxels=600)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    write_benchmark(folder, SIZE, gap=0.12)
    return compare(folder)


def test_each_method_is_held_against_the_simple_one_as_its_test_has_it(found, monkeypatch):
    (table,), (statistics,) = found.tables, found.statistics
    simple = table.rows[1]
    monkeypatch.setattr(words, "SIMPLE", simple.method)
    answers = dict(in_short(table, statistics))
    said = answers[f"Better than {simple.method}?"].rstrip(".").lower()
    told = dict(part.split(": ") for part in said.split("; "))
    expected = {"better": [], "not told apart from it": [], "worse": []}
    for row in table.rows:
        test = statistics.family.test(simple.key, row.key)
        if test is not None:
            better = {None: "not told apart from it", row.key: "better"}.get(test.better, "worse")
            expected[better].append(row.label.lower())
    assert {name: who.split(", ") for name, who in told.items()} == {
        name: who or ["none"] for name, who in expected.items() if who or name == "better"
    }
    assert expected["worse"]  # not everything is alike here


def test_false_alarms_costs_and_people_are_those_of_the_table(found):
    (table,), (statistics,) = found.tables, found.statistics
    whom, against, alarms, costs = (answer for _, answer in in_short(table, statistics))
    assert whom.startswith("40 subjects with a lesion, 5 without.")
    assert "frozen on those of 4 validation subjects who have a lesion, never on these" in whom
    assert against == "Unknown: thresholding has no rank in this table."
    volumes = {row.label: row.figures[FALSE_ML].value for row in table.rows}
    for label in (min(volumes, key=volumes.get), max(volumes, key=volumes.get)):
        assert f"{label} {volumes[label]:.2f} [" in alarms
    dearest = max(table.rows, key=lambda row: row.costs["seconds_per_volume"])
    assert f"({dearest.label})" in costs
    assert "On cpu, 2 threads: scoring a volume up to 0.54 s" in costs
    assert "training up to 3 min" in costs
    assert memory_text(dearest) == "1.2 GiB"


def test_no_line_ends_within_an_interval(found):
    (table,), (statistics,) = found.tables, found.statistics
    said = " ".join(answer for _, answer in main_content(table, statistics)["short"])
    assert "[" in said
    assert " [" not in said
    assert not any(" " in part.split("]")[0] for part in said.split("[")[1:])


@pytest.mark.parametrize(
    ("dataset", "title", "simulated"),
    [
        ("phantom", "Another title", True),  # as its file says
        ("brats21", "Phantom limbs", False),
        ("elsewhere", "Phantom, tumours", True),  # no file: the title
        ("elsewhere", "People", False),
    ],
)
def test_simulated_brains_are_called_so(make_run, records_dir, dataset, title, simulated):
    make_run("andi", 0.5, dataset=dataset, data=DataInfo(title=title))
    comparison = compare(records_dir)
    whom = in_short(comparison.tables[0], comparison.statistics[0])[0][1]
    assert whom.startswith("Simulated brains, no patients: ") is simulated


def test_what_was_not_measured_is_said_to_be_so(make_run, records_dir):
    make_run("andi", 0.5, costs={"device": ""})
    comparison = compare(records_dir)
    (table,), (statistics,) = comparison.tables, comparison.statistics
    whom, against, alarms, costs = (answer for _, answer in in_short(table, statistics))
    assert whom.startswith("Simulated brains, no patients: ")
    assert against.startswith("Unknown")
    assert alarms == "Not measured: no subject without a lesion."
    assert costs == "Not recorded."
    assert memory_text(table.rows[0]) == ""
