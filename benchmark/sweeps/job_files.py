"""What a job's folder holds: what is to be done, where it was submitted, how it ended, what it left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from andi_bench.workspace import Workspace
from benchmark.run.request import Outcome, RunRequest

JOB, SUBMITTED, ENDED, OUTCOME = "job.json", "submitted.json", "ended.json", "outcome.json"

Stage = Literal["data", "training", "run"]
"""What a job is there for: data and slices made ready for others, a training that others share, or a whole run."""

_PATHS = ("data_root", "train_root", "splits", "checkpoint", "export")


@dataclass(frozen=True)
class Task:
    """What a job does.

    Parameters
    ----------
    stage : str
        How far it goes.
    request : RunRequest
        Of the run, or of one of those that it is done for.
    plugins : tuple of Path
        Loaded before.
    processes : int
        That compute together, one an accelerator.
    threads : int
        Cores that it may use.
    """

    stage: Stage
    request: RunRequest
    plugins: tuple[Path, ...] = ()
    processes: int = 1
    threads: int = 1

    def write(self, folder: Path) -> None:
        """Write it into the job's folder.

        Raises
        ------
        UserError
            When it cannot be written.
        """
        asked = {field.name: getattr(self.request, field.name) for field in fields(RunRequest)}
        asked["workspace"] = str(self.request.workspace.root.absolute())
        for name in _PATHS:
            asked[name] = None if asked[name] is None else str(asked[name].absolute())
        write_said(
            folder / JOB,
            {
                "stage": self.stage,
                "request": asked,
                "plugins": [str(path.absolute()) for path in self.plugins],
                "processes": self.processes,
                "threads": self.threads,
            },
        )

    @classmethod
    def read(cls, folder: Path) -> Task:
        """Read it from the job's folder.

        Raises
        ------
        UserError
            When the file is damaged.
        """
        said = read_said(folder / JOB)
        try:
            asked = dict(said["request"])
            asked["workspace"] = Workspace(Path(asked["workspace"]))
            asked["subjects"] = tuple(asked["subjects"])
            for name in _PATHS:
                asked[name] = None if asked[name] is None else Path(asked[name])
            plugins = tuple(Path(path) for path in said["plugins"])
            return cls(
                said["stage"], RunRequest(**asked), plugins, said["processes"], said["threads"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{folder / JOB}: damaged; delete {folder} and run again") from error


@dataclass(frozen=True)
class Submitted:
    """A job that was handed over.

    Parameters
    ----------
    executor : str
        To whom.
    job : str
        The number it has there.
    log : str
        File that it writes to.
    """

    executor: str
    job: str
    log: str

    def write(self, folder: Path) -> None:
        """Write it into the job's folder."""
        write_said(folder / SUBMITTED, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Submitted | None:
        """Read it; None where the job was not submitted."""
        said = read_said(folder / SUBMITTED)
        try:
            return cls(**said) if said else None
        except TypeError:
            return None


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write what a run left into its job's folder."""
    said = {
        "record": None if outcome.record is None else str(outcome.record),
        "maps": None if outcome.maps is None else str(outcome.maps),
        "reused": outcome.reused,
    }
    write_said(folder / OUTCOME, said)


def read_outcome(folder: Path) -> Outcome | None:
    """Read what a run left; None where there is nothing."""
    said = read_said(folder / OUTCOME)
    if not said:
        return None
    record, maps = said.get("record"), said.get("maps")
    return Outcome(
        None if record is None else Path(record),
        None if maps is None else Path(maps),
        reused=bool(said.get("reused")),
    )


def write_said(path: Path, said: Mapping[str, Any]) -> None:
    """Write a small JSON file, whole."""
    write_atomically(path, json.dumps(said, indent=1) + "\n")


def read_said(path: Path) -> dict[str, Any]:
    """Read a small JSON file; {} where it is absent or no mapping."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
