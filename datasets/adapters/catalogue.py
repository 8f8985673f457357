"""From a data set's name to its adapter: configuration, folder, environment.

Imports no adapter before one is asked for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from andi_bench.config import DatasetEntry, dataset_entry, names_in
from andi_bench.errors import UserError, unknown_name
from andi_bench.registry import DATASETS, entry_points, registered, resolve

if TYPE_CHECKING:
    from datasets.adapters.folder import FolderAdapter

ADAPTERS: dict[str, str] = {
    "folder": "datasets.adapters.folder:FolderAdapter",
    "brats21": "datasets.adapters.brats21:Brats21Adapter",
    "shifts": "datasets.adapters.shifts:ShiftsAdapter",
    "phantom": "datasets.phantom.adapter:PhantomAdapter",
}
"""The adapters that come with the package: name and ``module:Class``."""


def dataset_names() -> list[str]:
    """Return the names of all data sets: configured ones, plug-ins, installed packages'."""
    offered = {*registered(DATASETS), *entry_points(DATASETS)} - set(ADAPTERS)
    return sorted({*names_in("datasets"), *offered})


def find_entry(name: str) -> DatasetEntry:
    """Return what is known of a data set; a plug-in's adapter needs no YAML file.

    Raises
    ------
    UserError
        For an unknown name, with the nearest one.
    """
    if name in names_in("datasets"):
        return dataset_entry(name)
    if name in dataset_names():
        return DatasetEntry(adapter=name)
    raise unknown_name("dataset", name, dataset_names())


def open_dataset(
    name: str,
    data_root: Path | None,
    workspace: Path,
    splits_dir: Path | None = None,
    *,
    option: str = "--data-root",
) -> FolderAdapter:
    """Return the adapter of a data set, with its folder found; nothing is read or built yet.

    Parameters
    ----------
    name : str
        As in ``configs/datasets`` or of a plug-in.
    data_root : Path or None
        The folder named by the user; else the data set's environment variable is looked at, and for the
        built-in ones ``<workspace>/data/<name>``.
    workspace : Path
        Where the suite keeps its own files.
    splits_dir : Path or None
        The user's own split.
    option : str
        The option that names the folder, for messages.

    Raises
    ------
    UserError
        For an unknown name, invalid options, and a folder that is unset or absent; it says which option and
        which variable name it, and what the folder should look like.
    """
    entry = find_entry(name)
    adapter = cast("type[FolderAdapter]", resolve(entry.adapter, ADAPTERS, group=DATASETS))
    variable = entry.root_variable
    value = os.environ.get(variable, "").strip() if variable else ""
    ways = f"{option} DIR" + (f" or the environment variable {variable}" if variable else "")
    if data_root is not None:
        root, named = data_root, f"{option} {data_root}"
    elif value:
        root, named = Path(value), f"{variable}={value}"
    elif adapter.built_in:
        root, named = workspace / "data" / name, ""
    else:
        raise UserError(
            f"data set '{name}': its folder is not set: give {ways}; the folder should hold "
            f"{adapter.layout}"
        )
    root = root.expanduser()
    if not adapter.built_in and not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise UserError(
            f"data set '{name}': {named} {what}: name another one by {ways}; it should hold "
            f"{adapter.layout}"
        )
    if splits_dir is not None and not splits_dir.is_dir():
        raise UserError(
            f"--splits {splits_dir}: no such folder: one with scans_{{train,val,test}}.csv wanted"
        )
    return adapter(name, root, entry.options, splits_dir, workspace / "fingerprints.jsonl")
