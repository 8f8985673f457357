"""What ``methods`` and ``datasets`` print. Nothing heavy is imported: the names come from configuration files."""

from __future__ import annotations

import json
import os
from typing import Any

from andi_bench import config as configuration
from andi_bench import registry


def show_methods(*, as_json: bool) -> None:
    """Print every method: those of the configuration, of plug-ins, of installed packages.

    A package whose method cannot be imported is a row with its reason; the others are not hindered.
    """
    rows: list[dict[str, Any]] = []
    for name in configuration.names_in("methods"):
        entry = configuration.method_entry(name)
        if entry is not None:
            rows.append(
                {
                    "method": name, "title": entry.title, "paper": entry.paper, "year": entry.year,
                    "family": entry.family, "learns from": entry.learns_from, "note": "",
                }
            )  # fmt: skip
    known = {row["method"] for row in rows}
    for name, cls in registry.registered().items():
        if name not in known:
            rows.append(_foreign(name, (cls.__doc__ or "").strip().splitlines()[:1], "plug-in"))
            known.add(name)
    for name, point in registry.entry_points(registry.METHODS).items():
        if name in known:
            continue
        try:
            cls = point.load()
            rows.append(_foreign(name, (cls.__doc__ or "").strip().splitlines()[:1], point.value))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            rows.append(_foreign(name, [], f"unavailable: {reason}"))
    if not as_json:
        for row in rows:
            row["paper"] = _short(row["paper"], row.pop("year"))
    _show("Methods", rows, as_json=as_json)


def _short(paper: str, year: int | None) -> str:
    """Return authors and year of a citation: what fits a line."""
    return " ".join(part for part in (paper.split(",")[0], str(year or "")) if part)


def show_options(name: str, *, as_json: bool) -> None:
    """Print the hyper-parameters of a method: their values in both presets, what they affect, what they mean.

    Raises
    ------
    UserError
        For a method that is not known.
    """
    from methods.catalogue import detector_class, detector_config

    cls = detector_class(name)
    entry = configuration.method_entry(name)
    presets = {
        preset: detector_config(
            cls, configuration.load_run_config(entry, preset, [], name).detector
        ).model_dump(mode="json")
        for preset in ("paper", "quick")
    }
    rows = [
        {
            "option": f"detector.{key}",
            **{preset: values[key] for preset, values in presets.items()},
            "affects": "scoring"
            if field.json_schema_extra == {"affects": "scoring"}
            else "training",
            "meaning": field.description or "",
        }
        for key, field in cls.Config.model_fields.items()
    ]
    needs = ", ".join(cls.requires) or "no particular modality"
    _show(f"Options of {name} (needs {needs})", rows, as_json=as_json)


def _foreign(name: str, title: list[str], note: str) -> dict[str, Any]:
    return {
        "method": name, "title": "".join(title), "paper": "", "year": None, "family": "",
        "learns from": "", "note": note,
    }  # fmt: skip


def show_datasets(*, as_json: bool) -> None:
    """Print every data set, what it learns from, and where it is looked for; one that is broken, with its reason."""
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
    _show("Data sets", rows, as_json=as_json)


def _where(variable: str | None, built_in: bool) -> str:
    if variable is None:
        return "made in the workspace" if built_in else "--data-root"
    if os.environ.get(variable):
        return f"{variable}={os.environ[variable]}"
    return f"set {variable}, or --data-root"


def _show(title: str, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    empty = (None, "")
    columns = [k for k in (rows[0] if rows else {}) if any(row[k] not in empty for row in rows)]
    table = Table(title=title)
    for column in columns:
        table.add_column(column, no_wrap=column in ("method", "dataset", "option"))
    for row in rows:
        table.add_row(*(escape("" if row[c] is None else str(row[c])) for c in columns))
    Console(width=None if Console().is_terminal else 100).print(table)
