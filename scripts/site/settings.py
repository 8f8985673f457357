"""Reference of the configuration and of the run record, from their pydantic models."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel

from andi_bench.config import RunConfig
from andi_bench.records.schema import READABLE, SCHEMA, RunRecord
from scripts.site.docstrings import said
from scripts.site.tables import code, default, field_rows, kind, table

_HEADS = ["field", "value", "default", "meaning"]


def configuration() -> str:
    """Return the page of the configuration: every section and field."""
    parts = [
        "# Configuration",
        "",
        "Made from the models that check it. `--set section.field=value` changes a field, `--config file.yaml` several; a record's `config.yaml` holds all of them. "
        "The fields of `detector` belong to the method: [Methods](methods.md).",
        "",
    ]
    for name, field in RunConfig.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            parts += [f"## {name}", "", said(model), "", table(_HEADS, _deep(model, f"{name}."))]
    return "\n".join(parts)


def _deep(model: type[BaseModel], prefix: str) -> list[list[str]]:
    """Return a section's fields, and those of the sections in it."""
    rows = []
    for row, (name, field) in zip(
        field_rows(model, prefix), model.model_fields.items(), strict=True
    ):
        inner = _models(field.annotation)
        rows.append(row)
        for one in inner:
            rows += _deep(one, f"{prefix}{name}.")
    return rows


def record() -> str:
    """Return the page of the record: files, then every part of ``record.json``."""
    from andi_bench.records import store

    parts = [
        "# Run record",
        "",
        f"Made from the models that write and read it; version {SCHEMA} of the schema. Versions {READABLE[0]} to {READABLE[-1]} are read.",
        "",
        said(store),
        "",
        "## record.json",
        "",
        "The JSON schema of all this: `python -c 'from andi_bench.records.schema import RunRecord; import json; print(json.dumps(RunRecord.model_json_schema()))'`.",
        "",
    ]
    todo: list[type[BaseModel]] = [RunRecord]
    seen: list[type[BaseModel]] = []
    while todo:
        model = todo.pop(0)
        if model in seen:
            continue
        seen.append(model)
        parts += [f"### {model.__name__}", "", said(model), ""]
        parts += [table(["field", "value", "default"], _plain_rows(model)), ""]
        for field in model.model_fields.values():
            todo += _models(field.annotation)
    return "\n".join(parts)


def _plain_rows(model: type[BaseModel]) -> list[list[str]]:
    return [
        [code(name), kind(field.annotation), code(default(field))]
        for name, field in model.model_fields.items()
    ]


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models within a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
