"""From a data set's name to its adapter: configuration, plug-ins, installed packages; folder, environment.

A data set is a YAML file in ``configs/datasets`` that names its class; or a class that a ``--plugin`` file registers, or
that an installed package offers (entry point group ``andi_bench.datasets``), with a YAML file of the same name beside
its module where there is more to say. Imports no adapter of this package before one is asked for.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from andi_bench.config import DatasetEntry, dataset_entry, names_in, read_yaml, validated
from andi_bench.errors import UserError, unknown_name
from andi_bench.registry import (
    DATASETS,
    METHODS,
    entry_points,
    registered,
    registered_by,
    resolve,
)
from datasets.splits import split_folder

if TYPE_CHECKING:
    from datasets.adapters.base import DatasetAdapter


@dataclass(frozen=True)
class Listed:
    """A data set as ``datasets`` lists it.

    Parameters
    ----------
    name : str
        For ``--dataset``.
    entry : DatasetEntry or None
        What is said of it; None where it cannot be used.
    note : str
        Where one from outside comes from; why one cannot be used.
    built_in : bool
        Whether it comes into being by itself, in the workspace.
    """

    name: str
    entry: DatasetEntry | None
    note: str = ""
    built_in: bool = False


def dataset_names() -> list[str]:
    """Return the names of all data sets: configured ones, plug-ins, installed packages'."""
    return sorted({*names_in("datasets"), *registered(DATASETS), *entry_points(DATASETS)})


def listed_datasets() -> list[Listed]:
    """Return every data set; one that cannot be used hinders no other."""
    configured = names_in("datasets")
    out = [_listed(name, "") for name in configured]
    plugged = [name for name in registered(DATASETS) if name not in configured]
    out += [_listed(name, "plug-in") for name in plugged]
    for name, point in entry_points(DATASETS).items():
        if name not in configured and name not in plugged:
            out.append(_listed(name, point.value))
    return out


def _listed(name: str, source: str) -> Listed:
    try:
        entry = find_entry(name)
        if not source:
            return Listed(name, entry, built_in=entry.root_variable is None)
        adapter = adapter_class(name, entry)
    except UserError as error:
        return Listed(name, None, f"unavailable: {error}")
    title = entry.title or "".join((adapter.__doc__ or "").strip().splitlines()[:1])
    return Listed(name, entry.model_copy(update={"title": title}), source, adapter.built_in)


def find_entry(name: str) -> DatasetEntry:
    """Return what is known of a data set; an adapter from outside needs no YAML file.

    Raises
    ------
    UserError
        For an unknown name, with the nearest one; for a YAML file that cannot be understood, and an installed
        package's adapter that cannot be imported.
    """
    if name in registered(DATASETS):
        return _entry_beside(registered(DATASETS)[name])
    if name in names_in("datasets"):
        return dataset_entry(name)
    if name in entry_points(DATASETS):
        return _entry_beside(resolve(name, {}, group=DATASETS))
    raise unknown_name("dataset", name, dataset_names())


def _entry_beside(adapter: type) -> DatasetEntry:
    """Return what the YAML file beside an adapter's module says; where that registers a method, it is the method's."""
    module = sys.modules.get(adapter.__module__)
    path = Path(getattr(module, "__file__", None) or "")
    beside = path.with_suffix(".yaml") if path.name else path
    if not beside.is_file() or registered_by(path)[METHODS]:
        return DatasetEntry()
    return validated(DatasetEntry, read_yaml(beside), str(beside))


def adapter_class(name: str, entry: DatasetEntry) -> type[DatasetAdapter]:
    """Return the class of a data set's adapter, importing it.

    Raises
    ------
    UserError
        When it cannot be imported, or is no adapter.
    """
    from datasets.adapters.base import DatasetAdapter

    located = {name: entry.class_} if entry.class_ else {}
    adapter = resolve(name, located, group=DATASETS)
    if not issubclass(adapter, DatasetAdapter):
        raise UserError(
            f"dataset '{name}': {adapter.__qualname__} is no DatasetAdapter (datasets.adapters.base)"
        )
    return adapter


def open_dataset(
    name: str,
    data_root: Path | None,
    workspace: Path,
    splits_dir: Path | None = None,
    *,
    option: str = "--data-root",
) -> DatasetAdapter:
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
    adapter = adapter_class(name, entry)
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
    if splits_dir is not None and not split_folder(splits_dir).is_dir():
        raise UserError(
            f"--splits {splits_dir}: no such folder: one with scans_{{train,val,test}}.csv wanted"
        )
    return adapter(name, root, entry.options, splits_dir, workspace / "fingerprints.jsonl")
