"""Small data sets and the command line, for tests of every room."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.small_scans import PARTS, write_splits, write_subject

from andi_bench.arithmetic.waiting import wait_briefly

wait_briefly(os.environ)  # as the command line does
if "PYTEST_XDIST_WORKER" in os.environ:  # several test processes share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Nine small subjects in the BraTS21 layout, split; S08 has no lesion."""
    root = tmp_path / "scans"
    for k in range(9):
        write_subject(root, f"S{k:02d}", k, lesion=k != 8)
    write_splits(root / "splits", PARTS)
    return root


@dataclass
class Answer:
    """What a command left: exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    """Return a function that runs the command line in this process, in a workspace of the test's own.

    Its first argument may be several words; the others, which may hold spaces, are one each.
    """
    from andi_bench import registry
    from benchmark.door import main
    from benchmark.recording import record_folder
    from datasets.scans import bias_field

    # Drawing and N4 take most of a small run's time: one subject shows that figures come, few iterations that a field does.
    monkeypatch.setattr(record_folder, "FIGURE_SUBJECTS", 1)
    monkeypatch.setattr(bias_field, "ITERATIONS", (2, 2, 2))
    monkeypatch.setenv("ANDI_BENCH_WORKSPACE", str(tmp_path / "workspace"))
    for variable in ("ANDI_BENCH_FOLDER", "ANDI_BENCH_BRATS21", "ANDI_BENCH_SHIFTS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(
        registry, "_registered", {k: dict(v) for k, v in registry._registered.items()}
    )

    def run(command: str, *arguments: object) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([*command.split(), *map(str, arguments)])
        printed = capsys.readouterr()
        code = caught.value.code
        return Answer(code if isinstance(code, int) else 0, printed.out, printed.err)

    return run
