"""Execute the notebooks of docs/notebooks in place: ``python -m scripts.notebooks [NAME...]``; outputs are committed with them."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "notebooks"
TIMEOUT = 1800
"""Seconds that a cell may take."""


def executed(path: Path) -> str:
    """Return a notebook with its outputs, in a folder of its own that goes with the call; times of cells are left out.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        When a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    here = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "ANDI_BENCH_ROOT": str(ROOT),
    }
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            record_timing=False,
        )
        client.execute(env=os.environ | here)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }
    return nbformat.writes(notebook) + "\n"


if __name__ == "__main__":
    wanted = sys.argv[1:] or sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    for name in wanted:
        path = FOLDER / f"{name}.ipynb"
        path.write_text(executed(path), encoding="utf-8")
        print(f"executed {path.relative_to(ROOT)}")
