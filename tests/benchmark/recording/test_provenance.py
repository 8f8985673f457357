"""Where a result comes from: versions, revision, machine, command."""

import subprocess
import sys

import numpy as np
import pytest

from andi_bench import __version__
from benchmark.recording import provenance as module
from benchmark.recording.provenance import provenance


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of one commit."""

    def git(*arguments):
        named = ("-c", "user.name=x", "-c", "user.email=x@x")
        done = subprocess.run(
            ["git", *named, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-qm", "one")
    monkeypatch.setattr(module, "rooms", lambda: tmp_path)
    return tmp_path, git("rev-parse", "HEAD")


def test_versions_machine_and_command_are_said(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/some/where/andi-bench", "run", "--name", "a b"])
    monkeypatch.setattr(module, "PACKAGES", ("numpy", "no-such-package"))
    found = provenance()
    assert found["andi_bench"] == __version__
    assert found["packages"] == {"numpy": np.__version__, "no-such-package": None}
    assert found["command"] == "andi-bench run --name 'a b'"


def test_a_checkout_is_named_by_its_commit_and_by_whether_it_was_changed(checkout):
    folder, commit = checkout
    assert provenance()["git"] == {"commit": commit, "changed": False}
    (folder / "new").write_text("not tracked")
    assert not provenance()["git"]["changed"]
    (folder / "file").write_text("two")
    assert provenance()["git"] == {"commit": commit, "changed": True}


def test_outside_a_checkout_and_without_git_there_is_no_revision(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert provenance()["git"] is None
    monkeypatch.setattr(module, "rooms", lambda: tmp_path / "elsewhere")
    assert provenance()["git"] is None
