"""A folder is held by one process; where the file system has no locks the work goes on, and says so."""

import errno
import fcntl
import multiprocessing

import pytest

from andi_bench.console import Console
from andi_bench.files import links_work
from andi_bench.locks import NO_LOCKS, exclusive


def _try(folder, answer):
    import fcntl as locks

    with (folder / ".lock").open("r+") as file:
        try:
            locks.flock(file, locks.LOCK_EX | locks.LOCK_NB)
            answer.put("free")
        except BlockingIOError:
            answer.put("held")


def _elsewhere(folder):
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_try, args=(folder, answer))
    process.start()
    process.join()
    return answer.get()


def test_a_folder_is_held_while_the_block_runs(tmp_path):
    with exclusive(tmp_path):
        assert _elsewhere(tmp_path) == "held"
    assert _elsewhere(tmp_path) == "free"


@pytest.mark.parametrize("number", sorted(set(NO_LOCKS)))
def test_without_locks_the_work_goes_on_with_a_note(tmp_path, monkeypatch, capsys, number):
    def flock(*_):
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", flock)
    with exclusive(tmp_path / "a", Console()):
        pass
    assert "its file system has no locks" in capsys.readouterr().err


def test_a_file_system_without_links_is_told(tmp_path, monkeypatch):
    assert links_work(tmp_path)

    def symlink(*_, **__):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr("os.symlink", symlink)
    assert not links_work(tmp_path)
    assert list(tmp_path.iterdir()) == []
