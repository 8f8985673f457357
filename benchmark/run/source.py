"""Where the anomaly maps of a run come from: what a run asks of a detector, or of a folder of given maps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from andi_bench.config import RunConfig
from andi_bench.records.store import Costs
from benchmark.recording.facts import LearningFacts, MethodFacts
from benchmark.run.data import RunData
from benchmark.run.identity import Evaluated, Identity, revisions
from benchmark.run.request import RunRequest
from benchmark.scoring.expected_images import Expecter
from benchmark.scoring.export_folder import ExportFolder
from benchmark.scoring.scan_views import ViewStore
from datasets.subject import Subject


@dataclass(frozen=True)
class Facts:
    """What only the source can tell of a finished run.

    Parameters
    ----------
    method, learning, costs
        As in the record.
    trained_on : set of str or None
        Subjects that gave training slices; None where that is not known.
    fingerprints : dict of str to str
        Content hash of each subject's scan, as the record keeps them.
    notes : tuple of str
        What a reader must know.
    unfrozen : str or None
        Why there is nothing to freeze thresholds on.
    arithmetic : str
        What the network that scored computed in; "" without one.
    """

    method: MethodFacts
    learning: LearningFacts
    costs: Costs
    trained_on: set[str] | None
    fingerprints: dict[str, str]
    notes: tuple[str, ...] = ()
    unfrozen: str | None = None
    arithmetic: str = ""


class MapSource(Protocol):
    """Makes or brings the anomaly maps of a run. Its constructor checks all that can be known before any work.

    Attributes
    ----------
    request : RunRequest
        What was asked for.
    preset : str
        Name of the preset in use.
    config : RunConfig
        The run's configuration.
    """

    request: RunRequest
    preset: str
    config: RunConfig

    @property
    def writes(self) -> bool:
        """Whether this process writes the record: the first of several does."""
        ...

    @property
    def export(self) -> Path | None:
        """Where maps are exported to, beside the record; None: nowhere."""
        ...

    def open(self) -> RunData:
        """Prepare and check the data."""
        ...

    def learn(self, data: RunData) -> None:
        """Train, or find what an equal training has learnt."""
        ...

    def evaluated(self, data: RunData) -> Evaluated:
        """Return the subjects of the run."""
        ...

    def identify(self, data: RunData, subjects: Evaluated) -> Identity:
        """Name the run and its maps."""
        ...

    def alone(self, folder: Path) -> AbstractContextManager[None]:
        """Hold the folder of the maps while they are made."""
        ...

    def bring(
        self, data: RunData, subjects: Evaluated, identity: Identity, *, finished: bool
    ) -> None:
        """Have all maps in their folder and exported; ``finished``: the record is there already."""
        ...

    def expecter(self, data: RunData, subjects: Evaluated) -> Expecter | None:
        """Return what gives the images that scored subjects were compared with; None where there are none."""
        ...

    def facts(self, data: RunData, subjects: Evaluated) -> Facts:
        """Return what the record says of the maps' origin."""
        ...


def view_folder(request: RunRequest, data: RunData, config: RunConfig) -> Path:
    """Return where views of the scans are kept: all methods on the same data and preprocessing share them."""
    from andi_bench.records.store import identity

    parts = {
        "dataset": request.dataset,
        "preprocessing": config.preprocessing.model_dump(mode="json"),
        **revisions(config),
        **data.adapter.revision(),
    }
    return request.workspace.views / f"{request.dataset}__{identity(parts)[:12]}"


def view_store(
    request: RunRequest, data: RunData, config: RunConfig, subjects: Sequence[Subject]
) -> ViewStore:
    """Return the store of the views of some subjects."""
    from benchmark.scoring.subjects import stamp

    modalities = config.preprocessing.modalities
    stamps = {s.id: stamp(data.adapter, s, modalities) for s in subjects}
    return ViewStore(view_folder(request, data, config), stamps)


def export_folder(folder: Path | None, request: RunRequest, run: str = "") -> ExportFolder | None:
    """Return the folder of exported maps; None where none are.

    Parameters
    ----------
    folder : Path or None
        Where it lies.
    request : RunRequest
        Of the run.
    run : str
        Hash of what the maps come from, and of the place of the data; "" where it is not known yet.
    """
    if folder is None:
        return None
    return ExportFolder(folder, f"{request.method}, seed {request.seed}, {request.dataset}", run)
