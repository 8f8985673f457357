"""The best settings as a file that ``run --config`` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from benchmark.tuning.search_log import SearchLog, show

_MARK = "# Written by tune: "


def require_writable(path: Path) -> None:
    """Find out before the search whether its winner can be written; a file that no search has written is left alone.

    Raises
    ------
    UserError
        When it cannot.
    """
    if not path.parent.is_dir():
        raise UserError(f"--write {path}: {path.parent} is no folder")
    if path.is_dir():
        raise UserError(f"--write {path}: is a folder, a file wanted")
    if path.exists() and not path.read_bytes().startswith(_MARK.encode()):
        raise UserError(
            f"--write {path}: is there, and no search has written it: another name wanted"
        )


def write_winner(path: Path, log: SearchLog, config: dict[str, Any]) -> None:
    """Write the configuration of the best trial, with a header that says where it comes from.

    Parameters
    ----------
    path : Path
        The file.
    log : SearchLog
        Has a best trial.
    config : dict
        Its whole configuration.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    best = next(one for one in log.attempts if one.number == log.best)
    change = log.improvement(best)
    against = (
        "" if change is None else f", {change:+.4f} against trial 0 (preset {log.asked['preset']})"
    )
    lines = [
        f"search {log.name}, trial {best.number} of {log.attempts[-1].number}",
        f"method {log.asked['method']}, data set {log.asked['dataset']}, learnt from {log.asked['learnt from']}",
        f"{log.title} on validation subjects: {best.value:.4f}{against}",
        *(f"searched: {key} = {show(value)}" for key, value in best.settings.items()),
        *log.words(),
    ]
    header = "".join([_MARK, lines[0], "\n", *(f"# {line}\n" for line in lines[1:])])
    text = header + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    write_atomically(path, text)
