"""Notebooks as pages: cells in order, what they printed, their pictures. Needs no package of notebooks."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any


def page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and the pictures that it shows, by their names beside the page.

    Parameters
    ----------
    path : Path
        A notebook of format 4, executed.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in content["cells"]:
        text = "".join(cell["source"]).strip()
        if cell["cell_type"] == "markdown":
            parts.append(text)
        elif text:
            parts.append(f"```python\n{text}\n```")
            for output in _joined(cell["outputs"]):
                parts += _output(output, path.stem, pictures)
    return "\n\n".join(parts) + "\n", pictures


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return outputs with what was printed in pieces in one."""
    found: list[dict[str, Any]] = []
    for one in outputs:
        before = found[-1] if found else {}
        if one["output_type"] == "stream" and before.get("name") == one["name"]:
            found[-1] = before | {"text": [*before["text"], *one["text"]]}
        else:
            found.append(one)
    return found


def _output(output: dict[str, Any], stem: str, pictures: dict[str, bytes]) -> list[str]:
    if output["output_type"] == "stream":
        return _printed("".join(output["text"])) if output["name"] == "stdout" else []
    data = output.get("data", {})
    if "image/png" in data:
        name = f"{stem}-{len(pictures) + 1}.png"
        pictures[name] = base64.b64decode("".join(data["image/png"]))
        return [f"![Picture of this cell]({name})"]
    if "text/markdown" in data:
        return ["".join(data["text/markdown"])]
    return _printed("".join(data.get("text/plain", "")))


def _printed(text: str) -> list[str]:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).rstrip()
    return [f"```text\n{plain}\n```"] if plain else []
