"""What ``prepare phantom`` does: a phantom written ahead of the run that would make it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.workspace import Workspace
from datasets.adapters.catalogue import adapter_class, find_entry
from datasets.phantom.adapter import PhantomAdapter

SPACING_MM = 2.5
"""Voxel edge of the phantoms that ``run`` makes; another one gets a folder of its own."""


@dataclass(frozen=True)
class Changed:
    """What of a phantom is to be another.

    Parameters
    ----------
    output : Path or None
        Its folder; None: one in the workspace.
    spacing : float
        Voxel edge, mm.
    test_seed : int or None
        Of the test subjects; None: the data set's own.
    """

    output: Path | None = None
    spacing: float = SPACING_MM
    test_seed: int | None = None


def write_phantom(name: str, place: Workspace, changed: Changed, workers: int | None) -> Path:
    """Write a phantom data set and return its folder.

    Parameters
    ----------
    name : str
        Of a built-in phantom.
    place : Workspace
        Where it lies, unless another folder is given.
    changed : Changed
        Folder, voxels and seed.
    workers : int or None
        Processes.

    Raises
    ------
    UserError
        For a name that is no phantom, or a folder that is not ours.
    """
    entry = find_entry(name)
    if not issubclass(adapter_class(name, entry), PhantomAdapter):
        raise UserError(f"dataset '{name}' is no phantom: phantom or phantom-ms wanted")
    options = {**entry.options, "spacing": changed.spacing}
    suffix = "" if changed.spacing == SPACING_MM else f"-{changed.spacing:g}mm"
    if changed.test_seed is not None:
        options["seeds"] = {**entry.options["seeds"], "test": changed.test_seed}
        suffix += f"-seed{changed.test_seed}"
    root = changed.output or place.root / "data" / f"{name}{suffix}"
    adapter = PhantomAdapter(name, root, options)
    with Console().reporting() as report:
        adapter.prepare(report, workers)
    return root
