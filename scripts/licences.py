"""The licences of the packages that this one needs, as their own metadata declare them: ``python -m scripts.licences`` brings docs/licences.md up to date."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from scripts import marked_place

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
BEGIN = "<!-- table: python -m scripts.licences -->"
EXTRAS = "<!-- table of the extras: python -m scripts.licences -->"

COPYLEFT = re.compile(r"\b[AL]?GPL|GNU |Mozilla|\bMPL|\bEUPL|\bCDDL|\bEPL", re.IGNORECASE)
"""Licences that ask something of who passes the package on, beyond naming its authors."""

_SHORT = 60


def needed() -> list[str]:
    """Return the packages that an installation always brings, as pyproject.toml names them."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return [Requirement(one).name for one in tomllib.loads(text)["project"]["dependencies"]]


def declared(name: str) -> str:
    """Return the licence that an installed package declares: SPDX expression, classifier, or the first line of its text.

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        When it is not installed.
    """
    found = importlib.metadata.metadata(name)
    expression, text = found.get("License-Expression"), (found.get("License") or "").strip()
    classifiers = [
        one.split(" :: ")[-1]
        for one in found.get_all("Classifier") or []
        if one.startswith("License :: ")
    ]
    if expression:
        return expression
    if classifiers:
        return ", ".join(classifiers)
    return text.splitlines()[0][:_SHORT] if text else "not declared"


def closure() -> list[str]:
    """Return all packages that an installation brings here, those that others bring among them."""
    found: dict[str, None] = {}
    todo = needed()
    while todo:
        name = canonical(todo.pop())
        if name in found:
            continue
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = None
        wanted = map(Requirement, requires)
        todo += [r.name for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return sorted(found)


def canonical(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def optional() -> dict[str, list[str]]:
    """Return the packages that extras bring, each with the names of its extras."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for extra, lines in tomllib.loads(text)["project"]["optional-dependencies"].items():
        for line in lines:
            found.setdefault(Requirement(line).name, []).append(extra)
    return found


def rows_of(table: str) -> dict[str, str]:
    """Return the licences that a table of the page names, by package."""
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {row[0]: row[1] for row in rows}


def extras_table(former: dict[str, str]) -> str:
    """Return what extras bring, as Markdown; of a package that is not installed here the licence that stood there before.

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        For a package that is neither installed nor in ``former``.
    """
    rows = []
    for name, extras in sorted(optional().items(), key=lambda one: one[0].lower()):
        try:
            licence = declared(name)
        except importlib.metadata.PackageNotFoundError:
            if name not in former:
                raise
            licence = former[name]
        if licence == "not declared":
            licence = former.get(name, licence)
        rows.append((name, licence, ", ".join(f"`{extra}`" for extra in extras)))
    head = ["| package | licence that it declares | extra |", "| --- | --- | --- |"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def table() -> str:
    """Return what is needed directly, and of what that brings the packages under a copyleft licence, as Markdown."""
    direct = needed()
    others = [one for one in closure() if one not in set(map(canonical, direct))]
    rows = [(name, declared(name), "directly") for name in sorted(direct, key=str.lower)]
    rows += [
        (name, declared(name), "by others") for name in others if COPYLEFT.search(declared(name))
    ]
    head = ["| package | licence that it declares | needed |", "| --- | --- | --- |"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


if __name__ == "__main__":
    marked_place.write(PAGE, BEGIN, table())
    former_rows = rows_of(marked_place.parts(PAGE, EXTRAS)[1])
    marked_place.write(PAGE, EXTRAS, extras_table(former_rows))
