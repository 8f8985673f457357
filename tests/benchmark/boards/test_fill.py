"""``leaderboard``: what is missing is run, published and shown, and a method that fails stops no other."""

from __future__ import annotations

import json

import pytest

from andi_bench.console import Console
from benchmark.boards.fill import Place, fill
from leaderboard.publishing.boards import read_board
from methods.baselines.random_map import RandomMap

BOARD = {
    "title": "Small scans",
    "data": [{"dataset": "brats21", "name": "small", "title": "Nine small subjects"}],
    "methods": ["random", "thresholding"],
    "seeds": [0],
    "settings": {
        "preprocessing": {"size": 16, "bias": "none"},
        "evaluation": {"median": 3, "bootstraps": 10, "previews": 1},
    },
}


@pytest.fixture
def board(tmp_path, scans, monkeypatch):
    monkeypatch.setenv("ANDI_BENCH_BRATS21", str(scans))
    # drawing takes longer than these runs; figures have tests of their own
    monkeypatch.setattr("leaderboard.publishing.rebuild.write_figures", lambda *_, **__: [])
    path = tmp_path / "small.yaml"
    path.write_text(json.dumps(BOARD))
    return path


def names(folder):
    return sorted(path.name.rpartition("__")[0] for path in folder.glob("*__*"))


def test_what_is_missing_is_run_and_published_and_the_same_command_goes_on(
    cli, board, scans, tmp_path, monkeypatch
):
    to = tmp_path / "board"
    small = to / "results" / "small"
    answer = cli("leaderboard", board, "--to", to, "--dry-run")
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "small  random  seed 0: not run yet",
        "small  thresholding  seed 0: not run yet",
    ]
    assert not to.exists()

    def broken(*_):
        raise RuntimeError(f"out of memory in {tmp_path}/x\nand more")

    with monkeypatch.context() as patched:
        patched.setattr(RandomMap, "score_slices", broken)
        answer = cli("leaderboard", board, "--to", to, "--workers", "1", "--device", "cpu")
    assert answer.code == 1
    assert "1 run failed" in answer.err
    assert "random on small, seed 0: failed: RuntimeError: out of memory" in answer.err
    assert "thresholding on small, seed 0 (1 run left)" in answer.err
    assert names(small) == ["thresholding__small__seed0"]
    page = (to / "small.md").read_text()
    assert "random has no rank: RuntimeError: out of memory in x" in page
    assert str(tmp_path) not in page
    assert "## Nine small subjects" in page

    done = {path: path.stat().st_mtime_ns for path in small.glob("*/record.json")}
    answer = cli("leaderboard", board, "--to", to, "--workers", "1", "--device", "cpu")
    assert answer.code == 0
    assert "random on small, seed 0: published" in answer.err
    assert "thresholding on small" not in answer.err
    assert {path: path.stat().st_mtime_ns for path in done} == done
    page = (to / "small.md").read_text()
    assert "missing" not in page
    assert "*random (reference)" in page
    assert "random has no rank" not in page
    assert not (small / "failed.json").exists()

    before = (to / "small.md").read_bytes()
    (to / "small.md").unlink()
    assert cli("leaderboard", board, "--to", to, "--tables").code == 0
    assert (to / "small.md").read_bytes() == before


def test_data_that_are_not_there_end_it_before_any_work(cli, board, tmp_path, monkeypatch):
    monkeypatch.delenv("ANDI_BENCH_BRATS21")
    answer = cli("leaderboard", board, "--to", tmp_path / "board")
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "ANDI_BENCH_BRATS21" in answer.err
    assert not (tmp_path / "board").exists()


def test_data_that_hold_no_subject_end_it_before_any_work(cli, board, scans, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    content = json.loads(board.read_text())
    content["data"].append({"dataset": "folder", "name": "ward", "title": "Ward"})
    board.write_text(json.dumps(content))
    monkeypatch.setenv("ANDI_BENCH_FOLDER", str(tmp_path / "empty"))
    answer = cli("leaderboard", board, "--to", tmp_path / "board")
    assert answer.code == 2
    assert str(tmp_path / "empty") in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "board").exists()
    several = ("run --method thresholding --alone --dataset brats21 --dataset folder", "--json")
    answer = cli(*several)
    assert answer.code == 2
    assert str(tmp_path / "empty") in answer.err
    assert not list((tmp_path / "workspace").glob("records/*__*"))


def test_two_wishes_at_once_are_refused(cli):
    answer = cli("leaderboard", "--tables", "--dry-run")
    assert answer.code == 2
    assert "one of them wanted" in answer.err


def test_a_leaderboard_without_missing_runs_is_only_rebuilt(board, tmp_path):
    found = read_board(str(board)).model_copy(update={"methods": ()})
    assert fill("small", found, Place(tmp_path, None), Console(quiet=True)) == 0  # type: ignore[arg-type]
    assert not (tmp_path / "small.md").exists()
