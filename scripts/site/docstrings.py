"""Docstrings as the builder's Markdown, on pages that are made from the code by hand and not by mkdocstrings."""

from __future__ import annotations

import inspect
import re
from typing import Any


def said(thing: Any) -> str:
    """Return a docstring: terms with their meanings as a list of definitions, headings of sections as bold lines.

    References to code stay as they are; :func:`scripts.site.markdown.with_references` makes links of them.
    """
    text = inspect.getdoc(thing) or ""
    text = re.sub(r"^``([^`\n]+)``\n    (?=\S)", r"\n`\1`\n:   ", text, flags=re.M)
    text = re.sub(r"(:\w+:`~?)\.", r"\1", text).replace("``", "`")
    return re.sub(r"^(Parameters|Notes|References)\n-+$", r"**\1**\n", text, flags=re.M)
