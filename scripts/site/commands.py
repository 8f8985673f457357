"""Reference of the command line, from the commands themselves."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import typer

from benchmark.cli.app import app
from scripts.site.tables import code, table


def command_line() -> str:
    """Return the page: every command with what it does, its arguments and its options."""
    group = typer.main.get_command(app)
    parts = [
        "# Command line",
        "",
        "Made from the commands themselves; `python -m benchmark COMMAND --help` says the same. `andi-bench` is the same command.",
        "",
    ]
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        parts += _command(command, name, 2)
    return "\n".join(parts)


def _command(command: Any, path: str, level: int) -> list[str]:
    parts = [f"{'#' * level} {path}", "", " ".join((command.help or "").split()), ""]
    inner = getattr(command, "commands", None)
    shown = [one for one in command.params if one.name != "help"]
    arguments = [_named(one) for one in shown if _is_argument(one)]
    usage = [f"python -m benchmark {path}", *arguments]
    usage += ["COMMAND"] if inner else []
    usage += ["[OPTIONS]"] if len(shown) > len(arguments) else []
    parts += ["```", " ".join(usage), "```", ""]
    if shown:
        parts.append(table(["", "meaning", "default"], [_row(one) for one in shown]))
    for name, one in (inner or {}).items():
        parts += _command(one, f"{path} {name}", level + 1)
    return parts


def _is_argument(parameter: Any) -> bool:
    return "Argument" in type(parameter).__name__


def _named(parameter: Any) -> str:
    """Return an argument as the usage line has it, or an option's names."""
    if not _is_argument(parameter):
        return ", ".join([*parameter.opts, *parameter.secondary_opts])
    several = "..." if parameter.nargs == -1 or getattr(parameter, "multiple", False) else ""
    name = parameter.name.upper() + several
    return name if parameter.required else f"[{name}]"


def _choices(parameter: Any) -> list[str]:
    """Return the values that an option takes, whether Typer keeps them as a type or as an annotation."""
    described = getattr(parameter, "type_descriptor", None)
    if described is not None:
        annotation = described.annotation
        return (
            [str(one) for one in get_args(annotation)] if get_origin(annotation) is Literal else []
        )
    return [str(one) for one in getattr(parameter.type, "choices", ())]


def _row(parameter: Any) -> list[str]:
    meaning = getattr(parameter, "help", None) or ""
    choices = _choices(parameter)
    if choices:
        meaning += f" ({', '.join(choices)})"
    value = parameter.default
    if callable(value) or value is None or value is False:
        value = ""
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    return [code(_named(parameter)), meaning, code(value)]
