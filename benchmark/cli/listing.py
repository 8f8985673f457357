"""``methods``: the methods that can be run, and their options; ``datasets``: the data sets, and what each one wants."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.options import Debug, Json, Plugin
from benchmark.cli.shared.asked import load_plugins
from benchmark.cli.shared.printed_rows import print_rows

if TYPE_CHECKING:
    from andi_bench.config import MethodEntry


def methods(
    method: Annotated[
        str | None, typer.Option("--method", "-m", help="list the options of this method instead")
    ] = None,
    plugin: Plugin = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List the methods that can be run, or the options of one."""
    load_plugins(plugin)
    if method is not None:
        title, rows = _options(method)
    else:
        title, rows = "Methods", _rows()
        if not json:
            rows = [_narrowed(row) for row in rows]
    print_rows(title, rows, as_json=json)


def _rows() -> list[dict[str, Any]]:
    """Return every method: those of the configuration, of plug-ins, of installed packages.

    A package whose method cannot be imported is a row with its reason; the others are not hindered.
    """
    from andi_bench import config as configuration
    from andi_bench import registry

    rows: list[dict[str, Any]] = []
    for name in configuration.names_in("methods"):
        entry = configuration.method_entry(name)
        if entry is not None:
            rows.append(_with_entry(name, entry, ""))
    known = {row["method"] for row in rows}
    for name, cls in registry.registered().items():
        if name not in known:
            entry = _of_plugin(name)
            if entry is not None and entry.title:
                rows.append(_with_entry(name, entry, "plug-in"))
            else:
                rows.append(_without_entry(name, cls.__doc__, "plug-in"))
            known.add(name)
    for name, point in registry.entry_points(registry.METHODS).items():
        if name in known:
            continue
        try:
            rows.append(_without_entry(name, point.load().__doc__, point.value))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            rows.append(_without_entry(name, None, f"unavailable: {reason}"))
    return rows


def _of_plugin(name: str) -> MethodEntry | None:
    from andi_bench.registry import plugin_file
    from methods.catalogue import described_method

    return described_method(name) if plugin_file(name) is not None else None


def _with_entry(name: str, entry: MethodEntry, note: str) -> dict[str, Any]:
    return {
        "method": name,
        "title": entry.title,
        "paper": entry.paper,
        "year": entry.year,
        "family": entry.family,
        "learns from": entry.learns_from,
        "note": note,
    }


def _without_entry(name: str, text: str | None, note: str) -> dict[str, Any]:
    """Return the row of a method that no configuration file describes: its docstring's first line for a title."""
    return {
        "method": name,
        "title": "".join((text or "").strip().splitlines()[:1]),
        "paper": "",
        "year": None,
        "family": "",
        "learns from": "",
        "note": note,
    }


def _narrowed(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with authors and year in place of the whole citation: what fits a line."""
    authors = row["paper"].split(",")[0]
    paper = " ".join(part for part in (authors, str(row["year"] or "")) if part)
    return {key: value for key, value in row.items() if key != "year"} | {"paper": paper}


def _options(name: str) -> tuple[str, list[dict[str, Any]]]:
    """Return a title, and a method's hyper-parameters: values in both presets, what they affect, what they mean.

    Raises
    ------
    UserError
        For a method that is not known.
    """
    from andi_bench import config as configuration
    from andi_bench.registry import plugin_file
    from methods.catalogue import (
        described_method,
        detector_class,
        detector_config,
        settings_beside,
    )
    from methods.hyper_parameters import read_by_training

    cls = detector_class(name)
    entry = described_method(name)
    path = plugin_file(name)
    layers = [settings_beside(path)] if path is not None else []
    presets = {
        preset: detector_config(
            cls, configuration.load_run_config(entry, preset, layers, name).detector
        ).described()
        for preset in ("paper", "quick")
    }
    rows = [
        {
            "option": f"detector.{key}",
            **{preset: values[key] for preset, values in presets.items()},
            "affects": "training" if read_by_training(cls.Config, key) else "scoring",
            "meaning": field.description or "",
        }
        for key, field in cls.Config.model_fields.items()
    ]
    needs = ", ".join(cls.requires) or "no particular modality"
    return f"Options of {name} (needs {needs})", rows


def datasets(plugin: Plugin = None, json: Json = False, debug: Debug = False) -> None:
    """List the data sets, and what each one wants."""
    load_plugins(plugin)
    print_rows("Data sets", _data_sets(), as_json=json)


def _data_sets() -> list[dict[str, str]]:
    """Return every data set, what it learns from, and where it is looked for; of a broken one, the reason."""
    from datasets.adapters.catalogue import listed_datasets

    rows = []
    for found in listed_datasets():
        entry = found.entry
        rows.append(
            {
                "dataset": found.name,
                "title": entry.title if entry else "",
                "trained on": (entry.trained_on or "itself") if entry else "",
                "where": _where(entry.root_variable, found.built_in) if entry else "",
                "note": found.note,
            }
        )
    return rows


def _where(variable: str | None, built_in: bool) -> str:
    if variable is None:
        return "made in the workspace" if built_in else "--data-root"
    if os.environ.get(variable):
        return f"{variable}={os.environ[variable]}"
    return f"set {variable}, or --data-root"
