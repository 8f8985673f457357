"""What a record says of a run beside what was measured: where its maps come from, and what guards it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from andi_bench.config import MethodEntry, RunConfig
from andi_bench.records.store import Costs, RunInfo
from benchmark.recording.guards import Guard

Origin = Literal["trained", "checkpoint", "nothing to learn", "elsewhere"]


@dataclass(frozen=True)
class MethodFacts:
    """The method.

    Parameters
    ----------
    entry : MethodEntry or None
        What its configuration file says; None where it has none.
    settings : dict
        Its hyper-parameters; {} for maps made elsewhere.
    calibration : dict of str to float
        What it settled on validation data.
    later : tuple of str
        Those of its hyper-parameters that older records leave out at the value they have.
    """

    entry: MethodEntry | None
    settings: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, float] = field(default_factory=dict)
    later: tuple[str, ...] = ()


@dataclass(frozen=True)
class LearningFacts:
    """Where the weights come from.

    Parameters
    ----------
    origin : str
        ``trained`` here, from a ``checkpoint``, ``nothing to learn``, or maps made ``elsewhere``.
    dataset : str
        Data set of the training slices, "" without a training.
    subjects : sequence of str
        Who gave training slices.
    report : dict
        Steps, seconds and device of the training; or the checkpoint's name and hash.
    curve : Path or None
        The training's ``loss.csv``; None, or no such file, without one.
    """

    origin: Origin
    dataset: str = ""
    subjects: Sequence[str] = ()
    report: dict[str, Any] = field(default_factory=dict)
    curve: Path | None = None


@dataclass(frozen=True)
class Cohorts:
    """Who was evaluated.

    Parameters
    ----------
    val, test : list of str
        Subjects that thresholds are frozen on, and that are reported on.
    unlabelled : int
        Subjects of the reported split without a lesion mask.
    fingerprints : dict of str to str
        Hash of the voxels of each subject's first modality.
    files : dict of str to str
        Of those evaluated, hash of all files that were read.
    place : str
        Hash of the folder that the data lie in: a later run there is of the same data, maybe corrected.
    """

    val: list[str]
    test: list[str]
    unlabelled: int
    fingerprints: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True)
class RunFacts:
    """A finished run, but for what was measured.

    Parameters
    ----------
    info : RunInfo
        Names and identity.
    config : RunConfig
        Configuration.
    method, learning, cohorts
        See there.
    guards : list of Guard
        Those of the data; the recording adds those of the method.
    costs : Costs
        Parameters, training, device.
    notes : tuple of str
        What a reader must know.
    unfrozen : str or None
        Why there is nothing to freeze thresholds on, where that is not for lack of labelled validation subjects.
    arithmetic : str
        What the network that scored computed in; "" without one.
    """

    info: RunInfo
    config: RunConfig
    method: MethodFacts
    learning: LearningFacts
    cohorts: Cohorts
    guards: list[Guard]
    costs: Costs
    notes: tuple[str, ...] = ()
    unfrozen: str | None = None
    arithmetic: str = ""

    def resolved_config(self) -> dict[str, Any]:
        """Return the configuration as it was used, every default filled in; fit for ``--config``."""
        return self.config.described(self.method.settings)
