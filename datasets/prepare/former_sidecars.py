"""Sidecars of former versions, brought up to date as they are read; folders prepared then stay prepared.

Once there were two. ``prepared.json`` said where the files of a subject come from and what was found in them;
``preparation.json`` of format 1 described a registration: the sources' grids, the transform, the matching.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datasets.names import MASK

PREPARED = "prepared.json"


def read_upgraded(folder: Path) -> str | None:
    """Return the text of a subject's ``preparation.json`` as it would be written now; None where there is none.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError, AttributeError
        When a file cannot be read, or what is missing in it stops the upgrade.
    """
    described, prepared = (_text(folder / name) for name in ("preparation.json", PREPARED))
    found: dict[str, Any] = json.loads(described) if described is not None else {}
    if described is not None and found.get("format") != 1:
        return described
    out = _upgraded(found) if found else {}
    if prepared is not None:
        out = _joined(json.loads(prepared), out)
    return json.dumps(out) if out else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _upgraded(found: dict[str, Any]) -> dict[str, Any]:
    """Bring a ``preparation.json`` of format 1 up to date: what it called sources are files now."""
    files = {}
    for kind, source in found.pop("sources").items():
        original = {key: source[key] for key in ("hash", "shape", "affine")}
        entry = {"file": source["output"], "path": source["path"], "original": original}
        files[MASK if kind == "seg" else kind] = entry
    return {**found, "format": 2, "person": found["subject"], "files": files}


def _joined(prepared: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """Return a ``prepared.json`` in today's form, with what a ``preparation.json`` beside it says."""
    before = described.get("files", {})
    files = {}
    for kind, entry in prepared["files"].items():
        entry["path"] = entry.pop("from")
        files[kind] = {
            **entry,
            "voxels": prepared["voxels"].get(kind, ""),
            "original": before.get(kind, {}).get("original"),
        }
    registration = described.get("registration") or {}
    # It stood among the warnings as well as in the registration.
    warnings = [line for line in prepared["warnings"] if line != registration.get("warning")]
    taken = {key: prepared[key] for key in ("subject", "person", "part", "attributes", "facts")}
    return {**described, **taken, "format": 2, "files": files, "warnings": warnings}
