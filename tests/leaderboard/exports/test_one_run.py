"""One run as text and as JSON, and the run that a name means."""

import io
import json

import pytest
from support.page_records import write_run

from andi_bench.errors import UserError
from andi_bench.records.store import read_record, read_subjects
from leaderboard.compare import compare
from leaderboard.exports.drawings import write_drawings
from leaderboard.exports.run_terminal import WIDTH, find_one, print_run, run_as_json
from leaderboard.figures import FIGURES


@pytest.fixture
def records(tmp_path):
    folder = tmp_path / "records"
    for method, seed in (("andi", 0), ("andi", 1), ("ae", 0)):
        write_run(folder, method, seed=seed, subjects=("S1", "S2", "S3"))
    return folder


@pytest.mark.parametrize("how", ["folder", "record.json", "name", "beginning"])
def test_a_run_is_found_by_whatever_names_it(records, how):
    (folder,) = records.glob("andi__phantom__seed1*")
    name = {
        "folder": str(folder),
        "record.json": str(folder / "record.json"),
        "name": folder.name,
        "beginning": "andi__phantom__seed1",
    }[how]
    assert find_one(name, records).folder == folder


def test_a_whole_name_wins_over_names_that_begin_with_it(records):
    (folder,) = records.glob("ae*")
    folder.rename(records / "a")
    assert find_one("a", records).run.method == "ae"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("andi", "run 'andi': 2 begin so, one wanted: andi__.*, andi__"),
        ("andy__phantom__seed0", "did you mean 'andi__phantom__seed"),
    ],
)
def test_a_name_that_means_no_run_or_several_is_a_mistake(records, name, message):
    with pytest.raises(UserError, match=message):
        find_one(name, records)
    with pytest.raises(UserError, match="nowhere: no such folder of run records"):
        find_one(name, records / "nowhere")


def test_json_has_the_record_every_line_of_its_subjects_and_its_files(records):
    (folder,) = records.glob("ae*")
    run = read_record(folder)
    content = json.loads(run_as_json(run))
    assert content["record"] == json.loads((folder / "record.json").read_text())
    assert len(content["subjects"]) == len(read_subjects(folder))
    assert content["files"] == {"folder": str(folder), "figures": [], "previews": []}
    assert {line["subject"] for line in content["subjects"]} == {"S1", "S2", "S3"}


def test_text_goes_where_it_is_told_and_fits(records):
    run = read_record(next(records.glob("ae*")))
    file = io.StringIO()
    print_run(run, file)
    lines = file.getvalue().splitlines()
    assert all(len(line) <= WIDTH or line == str(run.folder) for line in lines)
    for head in ("Protocol", "Operating points", "Guards", "Costs and origin", "Files"):
        assert head in lines
    assert sum(line.startswith(("S1", "S2", "S3")) for line in lines) == 3


def test_drawings_are_counted_and_their_files_given(records, tmp_path, monkeypatch):
    only = {"thresholds": FIGURES["thresholds"]}
    monkeypatch.setattr("leaderboard.figures.gallery.FIGURES", only)
    drawn = []
    said = write_drawings(compare(records), tmp_path / "figures", drawn)
    assert said == f"{len(drawn)} figures in {tmp_path / 'figures'}"
    assert sorted(drawn) == sorted((tmp_path / "figures").iterdir())
    assert len(drawn) == 2
