"""What a user asked for, in one object, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from andi_bench.workspace import Workspace

Split = Literal["test", "val"]
DeviceName = Literal["auto", "cpu", "cuda"]
Tracker = Literal["tensorboard", "wandb", "mlflow"]


@dataclass(frozen=True)
class RunRequest:
    """What a user asked for.

    Parameters
    ----------
    method : str
        Registered name.
    dataset : str
        Data set that is scored.
    train_on : str or None
        Data set that the detector learns from; None: as the data set's file says, by default itself.
    preset : str or None
        None: ``quick`` on a CPU, ``paper`` on an accelerator.
    seed : int
        The run's seed.
    split : str
        ``test`` or ``val``: which split is scored and reported.
    subjects : tuple of str
        Only these subjects of the split; () for all.
    data_root, train_root, splits : Path or None
        Folder of the data, of the training data, of the split's CSV files.
    workspace : Workspace
        Where everything is kept.
    overrides : list of dict
        The user's layers of configuration, weakest first.
    checkpoint : Path or None
        Weights from elsewhere, instead of a training.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    workers : int or None
        Processes for reading and evaluation; None: one a core.
    tracker : str or None
        A tracker that accelerate knows.
    export : Path or None
        Folder for maps as NIfTI.
    """

    method: str
    dataset: str
    workspace: Workspace
    train_on: str | None = None
    preset: str | None = None
    seed: int = 0
    split: Split = "test"
    subjects: tuple[str, ...] = ()
    data_root: Path | None = None
    train_root: Path | None = None
    splits: Path | None = None
    overrides: list[dict[str, Any]] = field(default_factory=list)
    checkpoint: Path | None = None
    device: DeviceName = "auto"
    workers: int | None = None
    tracker: Tracker | None = None
    export: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run left.

    Parameters
    ----------
    record : Path or None
        The run record; None where no lesion mask is known, so that there is nothing to evaluate.
    maps : Path or None
        Folder of the exported maps.
    reused : bool
        Whether the record was there already.
    """

    record: Path | None
    maps: Path | None
    reused: bool = False
