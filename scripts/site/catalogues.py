"""Reference of methods and data sets, from their YAML files and configuration classes."""

from __future__ import annotations

from typing import Any

import yaml

from andi_bench.config import dataset_entry, method_entry, names_in
from datasets.adapters.catalogue import adapter_class
from leaderboard.words.citing.citations import cited
from methods.catalogue import detector_class
from scripts.site.docstrings import said
from scripts.site.tables import code, field_rows, table


def methods() -> str:
    """Return the page of the methods: facts, publication, options, presets."""
    parts = [
        "# Methods",
        "",
        "Made from `configs/methods` and the detectors' classes. How they differ from their published code: [The methods](../methods.md).",
        "",
    ]
    rows = []
    for name in names_in("methods"):
        entry = method_entry(name)
        assert entry is not None
        rows.append([f"[{name}](#{name})", entry.title, entry.family, entry.learns_from])
    parts.append(table(["method", "title", "family", "learns from"], rows))
    for name in names_in("methods"):
        parts += _method(name)
    return "\n".join(parts)


def _method(name: str) -> list[str]:
    entry = method_entry(name)
    assert entry is not None
    cls = detector_class(name)
    parts = [f"## {name}", "", f"{entry.title}. {said(cls)}", ""]
    parts += _publications(entry.publications)
    if cls.requires:
        parts += [f"Needs: {', '.join(cls.requires)}.", ""]
    fields = field_rows(cls.Config, "detector.")
    if fields:
        parts.append(table(["option", "value", "default", "meaning"], fields))
    for preset, values in entry.presets.items():
        if preset != "test":
            shown = yaml.safe_dump(values, sort_keys=False, allow_unicode=True).rstrip()
            parts += [f"Preset `{preset}`:", "", "```yaml", shown, "```", ""]
    return parts


def data_sets() -> str:
    """Return the page of the data sets: what each holds, its terms and its publications."""
    parts = [
        "# Data sets",
        "",
        "Made from `configs/datasets`. How to prepare one: [Your data](../your-data.md).",
        "",
    ]
    for name in names_in("datasets"):
        entry = dataset_entry(name)
        adapter = adapter_class(name, entry)
        facts = {
            "terms": entry.licence,
            "folder": _folder(entry, adapter),
            "learns from": entry.trained_on or "itself",
            "simulated": "yes" if entry.simulated else "no",
        }
        rows = [[key, value] for key, value in facts.items() if value]
        parts += [f"## {name}", "", f"{entry.title}. {entry.description}", ""]
        parts += [table(["", ""], rows), *_publications(entry.publications)]
    return "\n".join(parts)


def _folder(entry: Any, adapter: Any) -> str:
    if adapter.built_in:
        return "made in the workspace"
    return f"`--data-root` or {code(entry.root_variable or '')}: {adapter.layout}"


def _publications(named: Any) -> list[str]:
    lines = []
    for one in cited(named).values():
        authors = "; ".join(one.authors) + (" and others" if one.others else "")
        where = ", ".join(part for part in (one.venue, str(one.year)) if part)
        title = f"[{one.title}]({one.address})" if one.address else one.title
        lines.append(f"- {authors}: {title}. {where}.")
    return ["Publication:" if len(lines) == 1 else "Publications:", "", *lines, ""] if lines else []
