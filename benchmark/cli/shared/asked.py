"""From the command line's options to what the engine takes: plug-ins loaded, layers of configuration in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from andi_bench.errors import UserError


@dataclass(frozen=True)
class Plugins:
    """What the plug-in files of a command registered.

    Parameters
    ----------
    methods, datasets : tuple of str
        Names.
    """

    methods: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()


def load_plugins(paths: Sequence[Path] | None) -> Plugins:
    """Import plug-in files.

    Raises
    ------
    UserError
        For a file that is missing, cannot be imported or registers nothing.
    """
    from andi_bench.registry import DATASETS, METHODS, load_plugin

    found = [load_plugin(path) for path in paths or []]
    return Plugins(
        tuple(name for groups in found for name in groups[METHODS]),
        tuple(name for groups in found for name in groups[DATASETS]),
    )


def chosen_methods(named: Sequence[str] | None, plugins: Plugins) -> tuple[str, ...]:
    """Return the methods that a command is about: those named, else those of its plug-ins, else ANDi."""
    return tuple(dict.fromkeys(named or plugins.methods or ("andi",)))


def layers(
    *,
    assignments: Sequence[str] | None,
    config: Path | None,
    plugin: Sequence[Path] | None = None,
    grid: str | None = None,
    protocol: str | None = None,
) -> list[dict[str, Any]]:
    """Return the user's layers of configuration, weakest first.

    Parameters
    ----------
    assignments : sequence of str or None
        ``--set``.
    config : Path or None
        ``--config``.
    plugin : sequence of Path or None
        Plug-in files; each may bring its YAML beside it.
    grid, protocol : str or None
        ``--grid`` and ``--protocol``.

    Raises
    ------
    UserError
        For a file that cannot be read, or an assignment that is not understood.
    """
    from andi_bench.config import parse_assignments, read_yaml
    from andi_bench.registry import METHODS, registered_by

    # A YAML beside a plug-in that registers data sets alone speaks of these.
    of_methods = [path for path in plugin or [] if registered_by(path)[METHODS]]
    found = []
    if of_methods:
        from methods.catalogue import settings_beside

        found = [settings for path in of_methods if (settings := settings_beside(path))]
    if config is not None:
        found.append(read_yaml(config))
    found.append(parse_assignments(list(assignments or [])))
    evaluation = {
        key: value for key, value in (("grid", grid), ("protocol", protocol)) if value is not None
    }
    return [*found, {"evaluation": evaluation}] if evaluation else found


def read_slurm_options(given: Sequence[str] | None) -> dict[str, str]:
    """Return ``--slurm`` options: ``partition=gpu`` and the like.

    Raises
    ------
    UserError
        For one without a value.
    """
    out = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not value or not name.strip("-"):
            raise UserError(f"--slurm {text}: name=value wanted, such as partition=gpu")
        out[name.strip().lstrip("-")] = value.strip()
    return out


def require_executor(**given: object) -> None:
    """Refuse options that say something of jobs where there are none.

    Raises
    ------
    UserError
        Names the first of them.
    """
    for name, value in given.items():
        if value is not None and value != []:
            raise UserError(f"--{name}: --executor local or slurm wanted with it")
