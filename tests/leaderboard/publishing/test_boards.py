"""Leaderboards that are published: their files, what is missing, and their bytes."""

from __future__ import annotations

import filecmp
import json
import shutil
import threading

import pytest
from support.places import ROOT

from andi_bench.config import load_run_config, method_entry, names_in
from andi_bench.console import Console, in_words
from andi_bench.errors import UserError
from andi_bench.locks import exclusive
from andi_bench.records.schema import Costs
from andi_bench.records.store import read_record
from leaderboard.publishing.boards import Board, board_names, read_board
from leaderboard.publishing.budget import budget_cells, seconds_of, training_memory
from leaderboard.publishing.missing import Expected, expected_runs, note_failure
from leaderboard.publishing.outdated import former_settings, runs_to_make
from leaderboard.publishing.publish import publish
from leaderboard.publishing.rebuild import published_runs, rebuild
from leaderboard.publishing.told import Wish

BOARD = """
title: A board
preface: [Said above.]
data:
- {dataset: phantom}
- {dataset: folder, name: ward, title: The ward, whole: 1000}
methods: [thresholding, dae, ae]
seeds: [0, 1]
closing: [Said below.]
"""


@pytest.fixture
def board(tmp_path):
    (tmp_path / "own.yaml").write_text(BOARD)
    return read_board(str(tmp_path / "own.yaml"))


@pytest.fixture
def put(make_run, tmp_path):
    """Publish a run into the folder of a leaderboard."""

    def put(method="dae", dice=0.5, seed=0, dataset="phantom", **changes):
        source = make_run(method, dice, seed=seed, dataset=dataset, **changes)
        return publish(source, tmp_path / "board" / "results" / dataset, Wish()).folder

    return put


def rebuilt(board, tmp_path):
    return rebuild("own", board, tmp_path / "board").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", board_names())
def test_every_leaderboard_names_methods_data_sets_and_a_preset_that_there_are(name):
    board = read_board(name)
    assert set(board.methods) <= set(names_in("methods"))
    assert {data.dataset for data in board.data} <= set(names_in("datasets"))
    assert board.preset in names_in("presets")
    assert len({data.folder for data in board.data}) == len(board.data)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"titel": "x"}, "did you mean 'title'"),
        ({"methods": []}, "methods = "),
        ({"data": [{"dataset": "x", "results": "figures"}]}, "which is for drawings"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, change, words):
    content = {"title": "t", "data": [{"dataset": "x"}], "methods": ["ae"], **change}
    (tmp_path / "bad.yaml").write_text(json.dumps(content))
    with pytest.raises(UserError, match=words):
        read_board(str(tmp_path / "bad.yaml"))


def test_a_name_without_a_file_gets_the_nearest():
    with pytest.raises(UserError, match="did you mean 'phantom'"):
        read_board("phantm")


def test_runs_are_expected_seed_by_seed_and_once_of_what_learns_nothing(board, tmp_path):
    found = expected_runs(board, [], tmp_path)
    assert [(run.seed, run.method, run.data.shown) for run in found] == [
        *((0, method, data) for method in board.methods for data in ("phantom", "ward")),
        *((1, method, data) for method in ("dae", "ae") for data in ("phantom", "ward")),
    ]
    assert {run.reason for run in found} == {"not run yet"}


def test_what_learns_without_chance_is_expected_once_and_what_is_drawn_with_every_seed(
    board, tmp_path
):
    own = board.model_copy(update={"methods": ("voxel-statistics", "random", "thresholding", "ae")})
    found = expected_runs(own, [], tmp_path)
    assert {run.method for run in found if run.seed == 1} == {"random", "ae"}


def test_the_page_has_a_row_of_dashes_with_the_reason_for_each_method_that_is_missing(
    board, put, tmp_path
):
    put("dae", 0.5)
    put("thresholding", 0.4)
    failed = Expected(board.data[0], "ae", 0)
    note_failure(board, failed, tmp_path / "board" / "results", "OSError: /secret/disk is\nfull")
    text = rebuilt(board, tmp_path)
    assert text.startswith("# A board\n\nSaid above.\n")
    assert text.endswith("\n\nSaid below.\n")
    assert "The ward" not in text  # no table without a run
    (row,) = [line for line in text.splitlines() if line.startswith("| – | ae ")][:1]
    assert set(row.replace("ae", "").replace(" ", "")) == {"|", "–"}
    assert "ae has no rank: OSError: disk is full; not run yet." in text
    lines = text.partition("## Runs that are missing")[2].strip().splitlines()[2:7]
    assert "| thresholding | ward | 0 | quick | – | not run yet |" in lines
    assert "| dae, ae | ward | 0, 1 | quick | – | not run yet |" in lines
    assert "8 of 10; `python -m benchmark leaderboard own` makes them." in text
    note_failure(board, failed, tmp_path / "board" / "results", None)
    assert not (tmp_path / "board" / "results" / "phantom" / "failed.json").exists()
    assert "OSError" not in rebuilt(board, tmp_path)


def test_a_leaderboard_whose_runs_are_all_there_says_nothing_of_missing_ones(put, tmp_path):
    board = Board.model_validate(
        {"title": "t", "data": [{"dataset": "phantom"}], "methods": ["dae"], "seeds": [0, 1]}
    )
    put("dae", 0.5)
    put("dae", 0.6, seed=1)
    assert "missing" not in rebuilt(board, tmp_path)


def test_the_same_runs_give_the_same_bytes_wherever_they_lie(board, put, tmp_path):
    put("dae", 0.5)
    put("ae", 0.4)
    put("dae", 0.6, dataset="ward")
    rebuild("own", board, tmp_path / "board")
    elsewhere = tmp_path / "far" / "away"
    shutil.copytree(tmp_path / "board" / "results", elsewhere / "results")
    shutil.rmtree(elsewhere / "results" / "figures")
    rebuild("own", board, elsewhere)
    same = filecmp.dircmp(
        tmp_path / "board" / "results" / "figures" / "own",
        elsewhere / "results" / "figures" / "own",
    )
    assert same.common
    assert same.left_only == same.right_only == same.diff_files == []
    text = (elsewhere / "own.md").read_text()
    assert text == (tmp_path / "board" / "own.md").read_text()
    assert str(tmp_path) not in text
    # in the order of the file, not of the alphabet; every figure that is shown is there
    assert text.index("## phantom title") < text.index("## ward title")
    details = (elsewhere / "own-details.md").read_text()
    assert details == (tmp_path / "board" / "own-details.md").read_text()
    assert "(own-details.md)" in text
    assert "(own.md)" in details
    both = text + details
    shown = [part.split(")")[0] for part in both.split("](results/figures/own/")[1:]]
    assert sorted(shown) == sorted(same.common)


def test_what_a_killed_process_drew_goes_and_one_that_still_draws_is_waited_for(
    board, put, tmp_path
):
    put()
    figures = tmp_path / "board" / "results" / "figures"
    with exclusive(figures):
        half_drawn = figures / ".partial-own-of-another"
        half_drawn.mkdir()
        (half_drawn / "phantom-cost.svg").write_text("half")
        console = Waiting(quiet=True)
        done = threading.Thread(target=rebuild, args=("own", board, tmp_path / "board", console))
        done.start()
        assert console.told.wait(60)
        assert half_drawn.is_dir()
        assert not (figures / "own").exists()
    done.join(60)
    assert {path.name for path in figures.iterdir()} == {".lock", "own"}
    assert list((figures / "own").glob("*.svg"))


class Waiting(Console):
    """Notes that somebody is waited for."""

    def __init__(self, **how):
        super().__init__(**how)
        self.told = threading.Event()

    def note(self, text):
        if "in use by another run" in text:
            self.told.set()


def test_without_a_published_run_nothing_is_written(board, tmp_path):
    assert rebuild("own", board, tmp_path) is None
    assert list(tmp_path.iterdir()) == [tmp_path / "own.yaml"]


@pytest.mark.parametrize("kind", ["cut", "other data", "no record"])
def test_what_does_not_belong_among_the_published_runs_is_refused(board, put, tmp_path, kind):
    folder = put("dae", 0.5)
    if kind == "cut":
        (folder / "pooled.npz").write_bytes(b"PK")
    elif kind == "other data":
        shutil.move(put("dae", 0.5, dataset="other"), folder.parent)
    else:
        (folder.parent / "notes").mkdir()
    words = {"cut": "pooled.npz", "other data": "'phantom' wanted there", "no record": "notes"}
    with pytest.raises(UserError, match=words[kind]):
        rebuild("own", board, tmp_path / "board")


def test_costs_are_the_shortest_times_and_the_highest_memory_of_the_seeds(make_run):
    runs = [
        read_record(make_run("dae", 0.5, seed=seed, training={"peak_memory_mb": 500.0 + seed}))
        for seed in (0, 1)
    ]
    (line,) = budget_cells(runs)
    assert line == [
        *("dae", "quick", "phantom", "cpu, 2 threads", "2", "300", "700"),
        *("501", "1.25", "1,001", "25"),
    ]
    assert training_memory(runs[0].model_copy(update={"training": {}})) is None
    # 6 + 4 subjects each
    assert seconds_of(runs) == {"cpu, 2 threads": pytest.approx(2 * 300 + 10 * (1.25 + 2.25))}
    idle = runs[0].model_copy(update={"costs": Costs(), "training": {}})
    assert budget_cells([idle])[0][5:] == ["–"] * 6


def test_a_training_that_two_data_sets_share_is_paid_once(make_run):
    runs = [read_record(make_run("dae", 0.5, dataset=name)) for name in ("phantom", "phantom-ms")]
    assert sum(seconds_of(runs).values()) == pytest.approx(300 + 2 * 10 * 1.25)


def test_the_whole_data_set_is_reckoned_from_the_part(board, put, tmp_path):
    slow = Costs(device="cpu, 2 threads", training_seconds=900, seconds_per_volume=9)
    put("dae", 0.5, dataset="ward", costs=slow)
    put("dae", 0.5, dataset="ward", seed=1)
    # The shortest times of the two seeds: 300 s of training, 1,000 volumes of 2.25 s
    text = rebuilt(board, tmp_path)
    assert (
        "1,000 volumes to score), the same methods with one seed would take some 42.5 min" in text
    )


def settings_of(method, **changes):
    """Return the configuration of a run of today's preset, but for some fields."""
    config = load_run_config(method_entry(method), "quick", [changes], method)
    return config.model_dump(mode="json")


def test_a_run_of_former_settings_is_to_be_made_again_and_stands_until_then(board, put, tmp_path):
    learnt = {"training": {"steps": 1}}
    put("dae", 0.5, config=settings_of("dae"), **learnt)
    put("ae", 0.5, config=settings_of("ae", training={"steps": 7}), **learnt)
    # speed changes nothing; who learns nothing has no use for steps
    idle = settings_of("thresholding", training={"steps": 7}, scoring={"batch_size": 5})
    put("thresholding", 0.4, config=idle)
    runs = published_runs(board, tmp_path / "board")
    reasons = {
        (run.method, run.seed): run.reason
        for run in runs_to_make(board, runs)
        if run.data.shown == "phantom"
    }
    wanted = settings_of("ae")["training"]["steps"]
    assert reasons == {
        ("ae", 0): f"published with training.steps = 7, {wanted} in quick today",
        ("dae", 1): "not run yet",
        ("ae", 1): "not run yet",
    }
    assert {(run.method, run.seed) for run in runs.missing if run.data.shown == "phantom"} == {
        ("dae", 1),
        ("ae", 1),
    }


def test_what_a_leaderboard_says_of_one_method_on_one_data_set_comes_last(board, put):
    told = {"vae": {"training": {"steps": 9}}}
    data = board.data[0].model_copy(update={"method_settings": told})
    mine = put("vae", 0.5, config=settings_of("vae", training={"steps": 9}), training={"steps": 1})
    assert former_settings(board, data, read_record(mine)) == ""
    assert "training.steps = 9" in former_settings(board, board.data[0], read_record(mine))
    assert (
        load_run_config(
            method_entry("vae"), "quick", board.layers(data, "vae"), "vae"
        ).training.steps
        == 9
    )
    assert board.layers(data, "ae")[-1] == {}


def test_settings_that_are_no_more_are_former_ones(board, put):
    folder = put("ae", 0.5, config={"preprocessing": {"wavelets": 3}})
    reason = former_settings(board, board.data[0], read_record(folder))
    assert reason == "published with settings that are no more"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3.21, "3.21 s"), (119, "119 s"), (600, "10 min"), (9000, "2.5 h"), (400_000, "4.63 days")],
)
def test_durations_in_words(seconds, words):
    assert in_words(seconds) == words


@pytest.fixture
def committed(request, tmp_path):
    """Return a leaderboard's name, a copy of its published runs, and its committed figures."""
    name, results = request.param, ROOT / "leaderboard" / "results"
    for data in read_board(name).data:
        if any(results.glob(f"{data.folder}/*/record.json")):
            shutil.copytree(results / data.folder, tmp_path / "results" / data.folder)
    if not (tmp_path / "results").is_dir():
        pytest.skip("no run of it is published")
    figures = results / "figures" / name
    return name, tmp_path, {path.name: path.read_bytes() for path in figures.glob("*")}


each_board = pytest.mark.parametrize("committed", board_names(), indirect=True)


@each_board
def test_the_committed_leaderboard_is_what_its_published_runs_give(committed, monkeypatch):
    name, copy, figures = committed

    def as_drawn(_, folder, **__):
        return [folder / drawn for drawn in figures]

    monkeypatch.setattr("leaderboard.publishing.rebuild.write_figures", as_drawn)
    page = rebuild(name, read_board(name), copy)
    for made in (page, page.with_name(f"{name}-details.md")):
        kept = ROOT / "leaderboard" / made.name
        assert made.read_text() == kept.read_text(), "make leaderboard-tables"


@pytest.mark.slow
@each_board
def test_the_committed_figures_are_what_the_published_runs_give(committed):
    name, copy, figures = committed
    rebuild(name, read_board(name), copy)
    made = copy / "results" / "figures" / name
    assert {path.name: path.read_bytes() for path in made.iterdir()} == figures
