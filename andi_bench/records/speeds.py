"""What ``speed`` measured on this machine, kept in the workspace: what a first run will take follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from andi_bench.files import write_atomically
from andi_bench.names import folder_word


@dataclass(frozen=True)
class KeptSpeed:
    """What a method costs by its preset, as it stands.

    Parameters
    ----------
    method, preset : str
        As in records.
    volume_seconds : float or None
        One volume; None where scoring was not measured.
    training_seconds : float or None
        A whole training; None where it was not measured, or its length depends on the data.
    """

    method: str
    preset: str
    volume_seconds: float | None
    training_seconds: float | None


def keep_speed(folder: Path, measurement: Mapping[str, Any]) -> None:
    """Keep a measurement; an earlier one of the same method, preset, settings and device goes.

    Raises
    ------
    UserError
        When the file cannot be written.
    """
    key = {name: measurement.get(name) for name in ("settings", "machine")}
    key["machine"] = _place(key["machine"])
    digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=4).hexdigest()
    name = (
        f"{folder_word(measurement['method'])}__{folder_word(measurement['preset'])}__{digest}.json"
    )
    write_atomically(folder / name, json.dumps(measurement, indent=1) + "\n")


def kept_speeds(folder: Path, kind: str) -> list[KeptSpeed]:
    """Return what was measured on a kind of device ("cpu", "cuda") of presets as they stand, without further settings.

    What cannot be read is left out: it tells nothing, and hinders nothing.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            one = json.loads(path.read_text(encoding="utf-8"))
            if one["settings"] or one["machine"]["kind"] != kind:
                continue
            scoring, training = one["scoring"], one["training"]
            steps = one["steps"]
            found.append(
                KeptSpeed(
                    str(one["method"]),
                    str(one["preset"]),
                    None if scoring is None else float(scoring["seconds"]),
                    None
                    if training is None or steps is None
                    else float(training["seconds"]) * int(steps),
                )
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _place(machine: Any) -> Any:
    """Return what of a machine tells measurements apart."""
    return [machine.get(name) for name in ("device", "kind", "threads")]
