"""Measurements as rows of the table in docs/speed.md, and what must be said beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from andi_bench.console import in_words
from andi_bench.names import counted

HEAD = (
    "Method",
    "Preset",
    "Settings",
    "Slice",
    "Training step, s (batch)",
    "Whole training",
    "Volume, s",
    "Calls a slice",
    "Memory above, MiB: step, volume",
    "Device",
)
BUSY = 0.75
"""Share of the cores that other work takes, from which a measurement is said to be made on a busy machine."""


def head() -> list[str]:
    """Return the two lines that a table in Markdown begins with."""
    return [
        "| " + " | ".join(HEAD) + " |",
        "| " + " | ".join([":--"] * 4 + ["--:"] * 5 + [":--"]) + " |",
    ]


def row(found: Mapping[str, Any]) -> str:
    """Return a measurement as a line of Markdown."""
    step, volume = found["training"], found["scoring"]
    about = found["machine"]
    width, height = found["grid"][:2]
    training = ""
    if step is not None:
        training = f"{_seconds(step)} ({found['batch']['training']}){_times(step, found['training_reference'])}"
    elif found["learning_seconds"] is not None:
        training = f"no steps: {found['learning_seconds']:.2g} s a volume"
    cells = [
        found["method"],
        found["preset"],
        ", ".join(found["settings"]),
        f"{width} x {height}",
        training,
        _whole(found),
        "" if volume is None else f"{_seconds(volume)}{_times(volume, found['scoring_reference'])}",
        "" if found["calls"] is None else f"{found['calls']:g}",
        ", ".join("" if pace is None else f"{pace['above_mb']:.0f}" for pace in (step, volume)),
        _device(about),
    ]
    return "| " + " | ".join(cells) + " |"


def notes(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what a reader of the rows must know: what was scaled, and whether something else was at work."""
    out = []
    for one in found:
        name = " ".join((one["method"], one["preset"], *one["settings"]))
        for what, key in (
            ("a volume", "scoring"),
            ("a training step", "training"),
            ("a volume by the plain loop", "scoring_reference"),
            ("a training step by the plain loop", "training_reference"),
        ):
            pace = one[key]
            if pace is not None and pace["measured"]:
                out.append(f"{name}: {what} was measured on {pace['measured']} and scaled.")
    if any(one["clock"] == "computed" for one in found):
        out.append(
            "Seconds are those that one thread computed; as many pass where nothing else is at work."
        )
    loads = [
        one["machine"]["load"]
        for one in found
        if one["clock"] == "passed" and one["machine"]["load"] is not None
    ]
    if loads and max(loads) >= BUSY:
        out.append(
            f"The machine was busy: {max(loads):.2g} processes a core wanted to run before a measurement. Alone it is faster."
        )
    return out


def _seconds(pace: Mapping[str, Any]) -> str:
    return f"{pace['seconds']:.3g}"


def _times(pace: Mapping[str, Any], plain: Mapping[str, Any] | None) -> str:
    """Say how many times the plain loop takes."""
    if plain is None:
        return ""
    return f", plain loop {_seconds(plain)}: {plain['seconds'] / pace['seconds']:.2f} times"


def _whole(found: Mapping[str, Any]) -> str:
    if found["training"] is None:
        return ""
    if not found["steps"]:
        return "by the data"
    return f"{in_words(found['steps'] * found['training']['seconds'])} ({counted(found['steps'], 'step')})"


def _device(about: Mapping[str, Any]) -> str:
    if about["kind"] == "cpu":
        return f"{about['device']}, {counted(about['threads'], 'thread')}, torch {about['torch']}"
    return f"{about['device']}, torch {about['torch']}, cuDNN {about['cudnn']}, driver {about['driver']}"
