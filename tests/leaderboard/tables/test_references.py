"""Reference rows stand in every face of a table, never rank, and what does not leave them behind is named."""

import csv
import hashlib
import io
import json
import shutil

import pytest
from support.mixed_records import TEST, mixed, mixed_record

from andi_bench.metrics.points import RANKING
from andi_bench.records.store import read_record
from leaderboard.compare import compare
from leaderboard.exports.csv_text import to_csv
from leaderboard.exports.json_text import to_json
from leaderboard.exports.latex import to_latex
from leaderboard.exports.markdown import to_markdown
from leaderboard.exports.page.content import page_content
from leaderboard.exports.page.render import write_page
from leaderboard.exports.terminal import print_comparison
from leaderboard.tables.references import no_better
from leaderboard.words.notes import notes_of


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("references")
    mixed_record(folder, "good", 5.0)
    mixed_record(folder, "useless", 0.0)
    mixed_record(folder, "random", 0.0, seed=3, family="reference")
    return folder


@pytest.fixture(scope="module")
def comparison(records):
    return compare(records)


def test_the_references_are_those_of_the_masks(comparison):
    (table,) = comparison.tables
    rows = {row.label: row for row in table.references if not row.runs}
    assert list(rows) == ["nothing", "everything"]
    cases = [mixed(name, 0.0) for name in TEST]
    ill = [case for case in cases if case.lesion.any()]
    shares = [case.lesion.sum() / case.brain.sum() for case in ill]
    dice = sum(2 * share / (1 + share) for share in shares) / len(ill)
    assert rows["everything"].figures[RANKING].value == pytest.approx(dice)
    assert rows["nothing"].figures[RANKING].value == 0
    for row in rows.values():
        assert row.figures["ap"].value == pytest.approx(sum(shares) / len(ill))
        assert row.figures["scan_auroc"].value == 0.5
        assert row.figures["pooled_ap"].value == row.figures["prevalence"].value
        assert row.rank is None
    free = [case for case in cases if not case.lesion.any()]
    volume = sum(case.brain.sum() for case in free) / len(free) * 0.08
    key = "false_positive_ml_lesion_free@val-dice"
    assert rows["everything"].figures[key].value == pytest.approx(volume)
    assert rows["nothing"].figures[key].value == 0
    assert rows["everything"].figures["lesion_sensitivity@val-dice"].value == 1
    assert rows["everything"].figures["matched_f1@val-dice"].value == 0


def test_references_neither_rank_nor_are_tested(comparison):
    (table,) = comparison.tables
    assert {row.label for row in table.rows} == {"good", "useless"}
    others = [row for row in table.references if row.runs]
    assert {row.label for row in others} == {"random"}
    assert all(row.rank is None and row.reference for row in table.references)
    best = min(row.rank for row in table.rows)
    assert best == 1
    (statistics,) = comparison.statistics
    tested = {label for label, _ in statistics.family.keys}
    assert tested == {"good", "useless"}


def test_they_are_labelled_in_every_face(comparison, tmp_path):
    out = io.StringIO()
    print_comparison(comparison, out)
    for text in (out.getvalue(), to_markdown(comparison), to_latex(comparison)):
        for name in ("nothing", "everything", "random"):
            assert f"{name} (reference)" in text
    lines = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    assert {line["label"] for line in lines if line["reference"] == "True"} == {
        "nothing",
        "everything",
        "random",
    }
    (table,) = json.loads(to_json(comparison))["tables"]
    assert [row["label"] for row in table["references"]][:2] == ["nothing", "everything"]
    assert all(not row["reference"] for row in table["rows"])
    tables = page_content(comparison)["tables"]
    shown = tables[0]
    assert [row["run"] is None for row in shown["references"]][:2] == [True, True]
    write_page(tmp_path / "page.html", comparison)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    # in the first table, and in that of all columns
    shown = sum(len(one["references"]) for one in tables)
    assert page.count('class="reference">') == 2 * shown


def test_what_is_no_better_than_a_reference_is_named(records):
    (table,) = (one for one in compare(records, pipeline="raw").tables)
    named = {
        (row.label, row.chain): [key for key, _ in no_better(row, table.references)]
        for row in table.rows
    }
    raw = table.protocol.chains[0]
    assert named["good", raw] == []
    assert RANKING in named["useless", raw]
    text = "\n".join(notes_of(table))
    assert f"useless ({raw}) is no better than a reference: " in text
    assert "good" not in text.partition("Reference rows")[2].partition("\n")[0]
    assert f"good ({raw}) is no better" not in text


def test_a_table_of_references_alone_still_has_rows(records):
    alone = compare(records, runs="random*")
    (table,) = alone.tables
    assert {row.label for row in table.rows} == {"random"}
    assert all(row.rank is None for row in table.rows)
    assert page_content(alone)["tables"][0]["rows"]


def test_older_records_have_no_references_and_are_read(records, tmp_path):
    (known,) = records.glob("good*")
    folder = tmp_path / known.name
    shutil.copytree(known, folder)
    path = folder / "record.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["schema"] = 4
    del content["references"]
    for part in content["summary"].values():
        del part["scan"], part["froc"]
    path.write_text(json.dumps(content), encoding="utf-8")
    sums = folder / "SHA256SUMS"
    lines = [line for line in sums.read_text().splitlines() if not line.endswith("record.json")]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sums.write_text("\n".join([f"{digest}  record.json", *lines]) + "\n", encoding="ascii")
    assert read_record(folder).references == {}
    (table,) = compare(tmp_path).tables
    assert table.references == ()
    assert all(row.figures["froc_1"].value is None for row in table.rows)
