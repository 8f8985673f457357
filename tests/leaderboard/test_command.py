"""``compare`` on the command line."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from andi_bench.records.digests import listed_digests


@pytest.fixture
def workspace(tmp_path):
    return tmp_path / "workspace" / "records"


@pytest.fixture
def records_dir(workspace):
    return workspace


def test_without_an_argument_every_data_set_of_the_workspace_is_shown(cli, make_run):
    make_run("a", 0.5, dataset="one")
    make_run("a", 0.5, dataset="two")
    answer = cli("compare")
    assert answer.code == 0
    assert "one title" in answer.out
    assert "two title" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 100


def test_folders_of_several_machines_are_merged(cli, make_run, records_dir, tmp_path):
    make_run("a", 0.5)
    first = tmp_path / "first"
    records_dir.rename(first)
    make_run("b", 0.6)
    answer = cli("compare", "--records", first, "--records", records_dir, "--json")
    content = json.loads(answer.out)
    assert {row["method"] for row in content["tables"][0]["rows"]} == {"a", "b"}
    assert content["skipped"] == []


def test_a_copy_counts_once_and_a_clash_is_named(cli, make_run, records_dir, tmp_path):
    folder = make_run("a", 0.5)
    copy = tmp_path / "other" / folder.name
    shutil.copytree(folder, copy)
    answer = cli("compare", "--records", records_dir, "--records", copy.parent, "--json")
    (reason,) = json.loads(answer.out)["skipped"]
    assert reason == f"{copy}: the same run as {folder}"

    text = (copy / "record.json").read_text().replace('"mean": 0.5,', '"mean": 0.7,')
    (copy / "record.json").write_text(text)
    answer = cli("compare", "--records", records_dir, "--records", copy.parent, "--json")
    (reason,) = json.loads(answer.out)["skipped"]
    assert "truncated or changed after the run" in reason

    resign(copy)  # as if another machine had found it
    answer = cli("compare", "--records", records_dir, "--records", copy.parent, "--json")
    content = json.loads(answer.out)
    (reason,) = content["skipped"]
    assert "the same run as" in reason
    assert (
        "but other results (dice@val-dice, raw: 0.7 instead of 0.5): the first one stands" in reason
    )
    assert content["tables"][0]["rows"][0]["dice@val-dice"] == 0.5


def resign(folder):
    names = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (folder / "SHA256SUMS").write_text("".join(lines))


def test_every_kind_of_bad_record_is_named_skipped_and_merged_with_nothing(
    cli, make_run, records_dir
):
    good = make_run("good", 0.5)
    for kind, spoil in {
        "truncated": lambda f: (f / "record.json").write_bytes(
            (f / "record.json").read_bytes()[:300]
        ),
        "edited": lambda f: (f / "subjects.csv").write_text((f / "subjects.csv").read_text() + "x"),
        "older": lambda f: (f / "record.json").write_text(
            (f / "record.json").read_text().replace('"schema": 5', '"schema": 0')
        ),
        "newer": lambda f: (f / "record.json").write_text(
            (f / "record.json").read_text().replace('"schema": 5', '"schema": 99')
        ),
        "pooled": lambda f: (f / "pooled.npz").write_bytes(b"PK"),
        "gone": lambda f: (f / "histograms.npz").unlink(),
    }.items():
        spoil(make_run(kind, 0.9))
    (records_dir / "not-a-record").mkdir()
    shutil.copytree(good, records_dir / "zz-duplicate")
    content = json.loads(cli("compare", "--json").out)
    assert {row["method"] for row in content["tables"][0]["rows"]} == {"good"}
    reasons = "\n".join(content["skipped"])
    assert len(content["skipped"]) == 8
    for words in (
        "truncated__phantom",
        "not valid JSON",
        "edited__phantom",
        "changed after the run",
        "schema = 0, 1 to 5 wanted",
        "schema = 99, 1 to 5 wanted",
        "pooled.npz: truncated or changed",
        "histograms.npz: missing",
        "not-a-record: no record.json",
        "zz-duplicate: the same run as good",
    ):
        assert words in reasons
    shown = " ".join(cli("compare").out.split())
    assert "Left out, 8:" in shown


def test_verify_holds_every_file_of_every_record_against_its_digest(cli, make_run):
    folder = make_run("a", 0.5)
    make_run("b", 0.6)
    answer = cli("compare", "--verify")
    assert answer.code == 0
    assert "every file of 2 records is as the run wrote it" in answer.err
    path = folder / "histograms.npz"
    wanted = listed_digests(folder)[path.name]
    path.write_bytes(path.read_bytes() + b"x")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert cli("compare").code == 0  # nothing of it is read
    answer = cli("compare", "--verify")
    assert answer.code == 2
    assert answer.out == ""
    (line,) = answer.err.strip().splitlines()
    for words in (str(path), f"{found} found", f"{wanted} in SHA256SUMS"):
        assert words in line


def test_seeds_are_read_as_a_list_or_a_range(cli, make_run):
    for seed in range(4):
        make_run("a", 0.5, seed=seed)
    for text, wanted in (("0,2", [0, 2]), ("1-3", [1, 2, 3]), ("3", [3])):
        content = json.loads(cli("compare", "--seeds", text, "--json").out)
        assert content["tables"][0]["rows"][0]["seeds"] == wanted
    for text in ("x", "1-", "-1", "1,,2"):
        answer = cli("compare", "--seeds", text)
        assert answer.code == 2
        assert "whole numbers wanted" in answer.err


def test_every_export_is_written_and_its_path_told(cli, make_run, tmp_path, monkeypatch):
    from leaderboard.figures import FIGURES

    only = {"thresholds": FIGURES["thresholds"]}
    monkeypatch.setattr("leaderboard.figures.gallery.FIGURES", only)
    make_run("a", {"raw": [0.5, 0.6], "median5": [0.5, 0.6]})
    make_run("b", {"raw": [0.4, 0.7], "median5": [0.4, 0.5]})
    out = tmp_path / "out"
    answer = cli(
        "compare",
        "--markdown",
        out / "t.md",
        "--csv",
        out / "t.csv",
        "--latex",
        out / "t.tex",
        "--figures",
        out / "figures",
    )
    assert answer.code == 0
    for name in ("t.md", "t.csv", "t.tex"):
        assert f"written: {out / name}" in answer.err
        assert (out / name).stat().st_size > 100
    assert "figures in" in answer.err
    assert any((out / "figures").glob("*.svg"))


def test_a_metric_that_never_ranks_is_refused_in_one_line(cli, make_run):
    make_run("a", 0.5)
    answer = cli("compare", "--metric", "auroc")
    assert answer.code == 2
    assert "metric 'auroc' never ranks: it saturates where lesions are small" in answer.err
    shown = " ".join(cli("compare", "--metric", "ap").out.split())
    assert "RANKED BY AP per subject, asked for, instead of Dice@val-dice" in shown
