"""Tables of Markdown, and types and defaults in the words of a reader."""

from __future__ import annotations

import re
import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_BOUNDS = {"gt": "> {}", "ge": "at least {}", "lt": "< {}", "le": "at most {}"}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; marks that would end a cell are kept out of it."""
    lines = [heads, ["---"] * len(heads), *[[cell(one) for one in row] for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def cell(text: str) -> str:
    """Return text on one line, for a cell."""
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")


def code(text: object) -> str:
    """Return text as code; "" stays as it is."""
    shown = str(text)
    return f"`{shown}`" if shown else ""


def kind(annotation: Any) -> str:
    """Return a type in words: ``int``, ``'a' or 'b'``, ``list of str``."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(str(one) for one in inner)
    if origin in (Union, types.UnionType):
        return " or ".join("null" if one is type(None) else kind(one) for one in inner)
    if hasattr(annotation, "__metadata__"):
        return kind(annotation.__origin__)
    if origin is dict:
        return f"mapping of {kind(inner[0])} to {kind(inner[1])}"
    if origin in (list, tuple):
        if origin is tuple and Ellipsis not in inner and len(inner) > 1:
            return f"({', '.join(map(kind, inner))})"
        return f"list of {kind(inner[0])}" if inner else "list"
    if annotation is Any:
        return "any value"
    return re.sub(r"^.*\.", "", getattr(annotation, "__name__", str(annotation)))


def default(field: FieldInfo) -> str:
    """Return a field's default as YAML would have it; "" where a value is wanted."""
    value = field.default
    if value is PydanticUndefined:
        if field.default_factory is None:
            return ""
        value = field.default_factory()  # type: ignore[call-arg]
    if isinstance(value, BaseModel):
        return ""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(str, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def bounds(field: FieldInfo) -> str:
    """Return a field's bounds, such as ``> 0, at most 1``."""
    found = [
        text.format(f"{getattr(one, name):g}")
        for one in field.metadata
        for name, text in _BOUNDS.items()
        if getattr(one, name, None) is not None
    ]
    return ", ".join(found)


def field_rows(model: type[BaseModel], prefix: str = "") -> list[list[str]]:
    """Return a model's fields: name, type and bounds, default, meaning."""
    rows = []
    for name, field in model.model_fields.items():
        what = ", ".join(part for part in (kind(field.annotation), bounds(field)) if part)
        rows.append([code(prefix + name), what, code(default(field)), field.description or ""])
    return rows
