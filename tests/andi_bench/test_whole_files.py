"""Files and folders appear whole or not at all; one process at a time; names fit for files."""

import multiprocessing
import stat
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andi_bench.errors import UserError
from andi_bench.files import partial_file, sweep, whole_folder, write_atomically
from andi_bench.locks import exclusive
from andi_bench.names import folder_word, slug
from andi_bench.workspace import VARIABLE, Workspace


def test_a_file_is_replaced_whole_and_readable_by_others(tmp_path):
    path = tmp_path / "new" / "file.txt"
    write_atomically(path, "old")

    def fail_half_way():
        with partial_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]
    assert path.stat().st_mode & stat.S_IRUSR
    (tmp_path / "plain").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_takes_the_place_of_the_old_one_only_when_it_is_whole(tmp_path):
    target = tmp_path / "record"
    with whole_folder(target) as partial:
        (partial / "a").write_text("1")

    def fail_half_way():
        with whole_folder(target) as partial:
            (partial / "b").write_text("2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert [entry.name for entry in target.iterdir()] == ["a"]
    with whole_folder(target) as partial:
        (partial / "c").write_text("3")
    assert [entry.name for entry in target.iterdir()] == ["c"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["record"]


def test_what_a_killed_process_left_is_swept_away_and_nothing_else(tmp_path):
    for name in (".partial-record-abc", ".stale-record-abc", "record", ".hidden"):
        (tmp_path / name).mkdir()
    left = [tmp_path / ".a.csv.x1.partial", tmp_path / "record" / ".b.csv.x2.partial"]
    for path in (*left, tmp_path / "record" / "b.csv"):
        path.write_text("half")
    sweep(tmp_path)
    sweep(tmp_path / "absent")
    assert not any(path.exists() for path in left)
    assert (tmp_path / "record" / "b.csv").exists()
    assert {entry.name for entry in tmp_path.iterdir()} == {"record", ".hidden"}


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    for action in (
        lambda: write_atomically(tmp_path / "file" / "inside", ""),
        lambda: whole_folder(tmp_path / "file" / "inside").__enter__(),
        lambda: exclusive(tmp_path / "file" / "inside").__enter__(),
        lambda: Workspace(tmp_path / "file").check_writable(),
    ):
        with pytest.raises(UserError, match="cannot be written"):
            action()


def hold(folder, seconds, events):
    with exclusive(folder):
        events.put("in")
        time.sleep(seconds)
        events.put("out")


def test_two_processes_are_never_in_a_folder_together(tmp_path):
    context = multiprocessing.get_context("spawn")
    events = context.Queue()
    processes = [context.Process(target=hold, args=(tmp_path, 0.2, events)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [events.get(timeout=5) for _ in range(4)] == ["in", "out", "in", "out"]


@given(st.text(max_size=40))
def test_a_slug_is_fit_for_a_file_and_is_its_own_slug(name):
    found = slug(name)
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert slug(found) == found
    assert not found.startswith("-")
    assert folder_word(name)
    assert "/" not in folder_word(name)


def test_dots_stay_in_the_word_of_a_folder():
    assert slug("My Method, v1.2!") == "my-method-v1-2"
    assert folder_word("My Method, v1.2!") == "my-method-v1.2"
    assert folder_word("!?") == "unnamed"


def test_the_workspace_is_the_variables_or_a_folder_here(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert str(Workspace.default().root) == "workspace"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "elsewhere"))
    workspace = Workspace.default()
    workspace.check_writable()
    assert list((tmp_path / "elsewhere" / "records").iterdir()) == []
    assert workspace.maps.parent == workspace.root
