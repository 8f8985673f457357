"""``publish``: what published runs hold, and what tables they give."""

from __future__ import annotations

import json
import lzma
import shutil
import threading

import pytest
from support.mixed_records import mixed_record
from support.page_records import write_run

from andi_bench.locks import exclusive
from andi_bench.records.schema import RunRecord
from andi_bench.records.store import read_record
from leaderboard.compare import compare
from leaderboard.exports.csv_text import to_csv
from leaderboard.exports.markdown import to_markdown
from leaderboard.figures import write_figures
from leaderboard.publishing.pseudonyms import pseudonyms_for
from leaderboard.publishing.publish import publish
from leaderboard.publishing.told import Wish, published, without_paths

RUNS = [("a", 3.0, 0), ("a", 3.0, 1), ("b", 0.3, 0)]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "records"
    for method, skill, seed in RUNS:
        mixed_record(folder, method, skill, seed)
    return folder


def runs_in(folder):
    """Return the published runs of a folder, beside which a lock may lie."""
    return sorted(path for path in folder.iterdir() if path.name != ".lock")


def everything(folder):
    """Return all that a published record says, unpacked."""
    packed = lzma.decompress((folder / "subjects.csv.xz").read_bytes()).decode()
    pooled = (folder / "pooled.npz").read_bytes().decode("latin-1")
    return (folder / "record.json").read_text() + packed + pooled


def rewritten(folder, **changes):
    """Change a record as if the run had written it so."""
    content = json.loads((folder / "record.json").read_text())
    content.update(changes)
    from andi_bench.records.digests import listed_digests, write_digests

    names = list(listed_digests(folder))
    (folder / "record.json").write_text(json.dumps(content))
    write_digests(folder, names)
    return folder


def test_what_a_killed_publish_left_goes_and_one_at_work_is_waited_for(records, tmp_path):
    source, to = min(records.iterdir()), tmp_path / "results"
    with exclusive(to):
        half = to / f".partial-{source.name}-xyz"
        half.mkdir()
        (half / "record.json").write_text("{")
        other = threading.Thread(target=publish, args=(source, to, Wish()))
        other.start()
        other.join(0.5)
        assert runs_in(to) == [half]
    other.join(60)
    (done,) = runs_in(to)
    assert read_record(done).run.method == "a"


def test_tables_of_published_runs_are_those_of_the_runs_byte_for_byte(cli, records, tmp_path):
    to = tmp_path / "results"
    assert cli("publish", *sorted(records.iterdir()), "--to", to, "--by", "age").code == 0
    for by in ("lesion-size", "age"):
        own, slim = (compare(folder, by=by, pipeline="all") for folder in (records, to))
        assert to_markdown(slim) == to_markdown(own)
        assert to_csv(slim) == to_csv(own)


@pytest.mark.slow
def test_figures_of_published_runs_are_those_of_the_runs_byte_for_byte(cli, records, tmp_path):
    to = tmp_path / "results"
    cli("publish", *sorted(records.iterdir()), "--to", to)
    drawn = write_figures(compare(records), tmp_path / "own", kinds=("svg",))
    again = write_figures(compare(to), tmp_path / "slim", kinds=("svg",))
    assert drawn
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in drawn]


def test_a_published_run_holds_no_image_no_path_and_no_column(cli, records, tmp_path):
    source = tmp_path / "records" / "run"
    shutil.copytree(next(iter(sorted(records.iterdir()))), source)
    told = json.loads((source / "record.json").read_text())
    rewritten(
        source,
        provenance={**told["provenance"], "command": "run --data-root /secret/ward"},
        guards=[{"name": "weights", "passed": None, "detail": "from /secret/w.pt: not known"}],
        notes=["see ../secret/x.csv, C:\\secret\\y.csv and ~/secret/z.csv: 3 mm/s, 5/6"],
    )
    answer = cli("publish", source, "--to", tmp_path / "out")
    assert answer.code == 0
    assert "no image, no path, no column of the split" in answer.err
    (folder,) = runs_in(tmp_path / "out")
    names = {path.name for path in folder.iterdir()}
    assert names == {"SHA256SUMS", "record.json", "subjects.csv.xz", "pooled.npz"}
    text = everything(folder)
    assert "secret" not in text
    assert str(tmp_path) not in text
    content = json.loads((folder / "record.json").read_text())
    assert content["notes"] == ["see x.csv, y.csv and z.csv: 3 mm/s, 5/6"]
    assert set(content["groups"]) == {"lesion-size"}
    assert content["data"]["train"] == content["data"]["val"] == []
    assert content["data"]["fingerprints"] == {}


def test_publishing_twice_does_nothing_and_other_content_is_put_there_only_when_asked(
    cli, records, tmp_path
):
    source = sorted(records.iterdir())[0]
    to = tmp_path / "out"
    cli("publish", source, "--to", to)
    folder = to / source.name
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    answer = cli("publish", source, "--to", to, "--json")
    assert [line["new"] for line in json.loads(answer.out)] == [False]
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.iterdir()} == before
    answer = cli("publish", source, "--to", to, "--by", "age")
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "published already, with other content" in answer.err
    assert cli("publish", source, "--to", to, "--by", "age", "--replace").code == 0
    assert set(read_record(folder).groups) == {"lesion-size", "age"}
    assert [path.name for path in runs_in(to)] == [source.name]


def test_another_run_of_a_method_stands_beside_the_first_until_it_is_to_give_way(
    cli, records, tmp_path
):
    to = tmp_path / "out"
    first, other = sorted(records.glob("a__*seed0*"))[0], tmp_path / "other"
    later = mixed_record(other, "a", 2.5)
    cli("publish", first, "--to", to)
    answer = cli("publish", later, "--to", to)
    assert f"stands beside {first.name}" in answer.err
    assert len(runs_in(to)) == 2
    assert cli("publish", later, "--to", to, "--replace").code == 0
    assert [path.name for path in runs_in(to)] == [later.name]


@pytest.mark.parametrize("kind", ["no record", "cut", "no figures"])
def test_a_damaged_or_unfinished_run_is_refused_in_one_line(cli, records, tmp_path, kind):
    source = tmp_path / "run"
    shutil.copytree(sorted(records.iterdir())[0], source)
    if kind == "no record":
        (source / "record.json").unlink()
    elif kind == "cut":
        path = source / "histograms.npz"
        path.write_bytes(path.read_bytes()[:-4])
    else:
        (source / "subjects.csv").unlink()
    answer = cli("publish", source, "--to", tmp_path / "out")
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_run_of_the_validation_split_is_not_published(cli, records, tmp_path):
    source = tmp_path / "run"
    shutil.copytree(sorted(records.iterdir())[0], source)
    told = json.loads((source / "record.json").read_text())
    rewritten(source, run={**told["run"], "split": "val"})
    answer = cli("publish", source, "--to", tmp_path / "out")
    assert answer.code == 2
    assert "a run of the test split wanted" in answer.err


def test_pseudonyms_are_the_same_in_all_runs_and_tests_still_pair_subjects(cli, records, tmp_path):
    to = tmp_path / "out"
    source = sorted(records.iterdir())
    noted = tmp_path / "noted" / source[0].name
    shutil.copytree(source[0], noted)
    rewritten(noted, notes=["t3 has no voxel left, t30 is nobody"])
    assert cli("publish", noted, *source[1:], "--to", to, "--anonymous").code == 0
    table = tmp_path / "workspace" / "pseudonyms" / "mixed.csv"
    names = pseudonyms_for(table, [])
    assert table.stat().st_mode & 0o077 == 0
    text = "".join(everything(folder) for folder in runs_in(to))
    for name in [f"t{k}" for k in range(12)]:
        assert f'"{name}"' not in text
        assert f"\n{name}," not in text
    assert f"{names['t3']} has no voxel left, t30 is nobody" in text
    own, slim = compare(records), compare(to)
    assert len(slim.statistics[0].family.tests) == len(own.statistics[0].family.tests) == 1
    for one, other in zip(own.tables[0].rows, slim.tables[0].rows, strict=True):
        assert one.figures["dice@val-dice"].value == pytest.approx(
            other.figures["dice@val-dice"].value, abs=1e-12
        )
    # half of them under their own names would be other subjects
    assert not any(read_record(folder).run.asked for folder in runs_in(to))
    answer = cli("publish", source[1], "--to", to)
    assert answer.code == 2
    assert "under other names of subjects" in answer.err


def test_pseudonyms_tell_no_order_and_two_tables_share_none(tmp_path):
    subjects = [f"S{k:02d}" for k in range(40)]
    first = pseudonyms_for(tmp_path / "a.csv", subjects)
    assert pseudonyms_for(tmp_path / "a.csv", subjects[:3]) == first
    assert [first[name] for name in subjects] != sorted(first.values())
    more = pseudonyms_for(tmp_path / "a.csv", [*subjects, "new"])
    assert {name: more[name] for name in subjects} == first
    assert not set(pseudonyms_for(tmp_path / "b.csv", subjects).values()) & set(first.values())


def test_a_name_that_is_a_number_withholds_the_text_that_has_it(records):
    record = read_record(sorted(records.iterdir())[0])
    data = record.data.model_copy(update={"test": ("12", "13"), "val": ()})
    record = record.model_copy(
        update={"notes": ("12 of 17 lesions", "of 121 voxels"), "data": data, "groups": {}}
    )
    told = published(record, Wish(pseudonyms={"12": "x-1", "13": "x-2"}))
    assert told["notes"] == ["not published: it may name a person", "of 121 voxels"]
    assert told["data"]["test"] == ["x-1", "x-2"]


def test_the_data_set_gets_the_name_that_is_asked_for(records, tmp_path):
    source = sorted(records.iterdir())[0]
    done = publish(source, tmp_path, Wish(dataset="ward-7", title="Ward 7"))
    assert "__ward-7__" in done.folder.name
    record = read_record(done.folder)
    assert (record.run.dataset, record.data.title) == ("ward-7", "Ward 7")
    assert record.run.folder_name == done.folder.name
    assert record.data.trained_on == read_record(source).data.trained_on


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("weights from /a/b/c.pt: how", "weights from c.pt: how"),
        ("'/a b/c'", "'a b/c'"),
        ("https://doi.org/10.1/x and a/b, 3 / 4", "https://doi.org/10.1/x and a/b, 3 / 4"),
        (r"\\server\share\x.nii", "x.nii"),
        ("/data/", "data"),
    ],
)
def test_of_a_path_its_last_part_is_left(text, left):
    assert without_paths(text) == left


def test_validation_dice_of_an_older_record_is_told_for_its_histograms_are_not_published(tmp_path):
    folder = write_run(tmp_path / "records", "a")
    older = read_record(folder)
    assert older.operating_points["raw"]["val-dice"].reached is None
    done = publish(folder, tmp_path / "out", Wish())
    slim = RunRecord.model_validate_json((done.folder / "record.json").read_text())
    assert compare(tmp_path / "out").tables[0].rows[0].choice == (
        compare(tmp_path / "records").tables[0].rows[0].choice
    )
    assert slim.run.identity == older.run.identity
