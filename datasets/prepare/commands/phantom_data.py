"""What ``prepare phantom`` does: a phantom written ahead of the run that would make it."""

from __future__ import annotations

from pathlib import Path

from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.workspace import Workspace
from datasets.adapters.catalogue import adapter_class, find_entry
from datasets.phantom.adapter import PhantomAdapter

SPACING_MM = 2.5
"""Voxel edge of the phantoms that ``run`` makes; another one gets a folder of its own."""


def write_phantom(
    name: str, place: Workspace, output: Path | None, spacing: float, workers: int | None
) -> Path:
    """Write a phantom data set and return its folder.

    Parameters
    ----------
    name : str
        ``phantom`` or ``phantom-ms``.
    place : Workspace
        Where it lies, unless ``output`` is given.
    output : Path or None
        Another folder.
    spacing : float
        Voxel edge, mm.
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
    suffix = "" if spacing == SPACING_MM else f"-{spacing:g}mm"
    root = output or place.root / "data" / f"{name}{suffix}"
    adapter = PhantomAdapter(name, root, {**entry.options, "spacing": spacing})
    with Console().reporting() as report:
        adapter.prepare(report, workers)
    return root
