"""What a run and its maps are named by: one function builds it, for detectors and for maps made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from andi_bench.config import RunConfig
from andi_bench.metrics.measured import measured_in_records
from andi_bench.records.schema import IDENTITY, RunInfo
from andi_bench.records.store import identity
from benchmark.evaluation import protocol
from benchmark.run.data import RunData, contents
from benchmark.run.request import RunRequest
from benchmark.run.settled_on import SettledOn
from benchmark.scoring import engine
from benchmark.scoring.map_store import MapStore
from datasets.adapters.base import DatasetAdapter
from datasets.scans import preprocess
from datasets.subject import Subject


@dataclass(frozen=True)
class Evaluated:
    """The subjects of a run.

    Parameters
    ----------
    val : list of Subject
        Thresholds are frozen on them; their lesions are known.
    test : list of Subject
        All that are scored.
    known : list of Subject
        Those of ``test`` whose lesions are known: they are reported on.
    """

    val: list[Subject]
    test: list[Subject]
    known: list[Subject]


@dataclass(frozen=True)
class Naming:
    """What the source of the maps says of itself, to name a run.

    Parameters
    ----------
    method, label : str
        Name in folders, name in tables.
    recipe : dict
        What the maps depend on beside the scans: method, code, hyper-parameters, training; of given maps their name
        and the hashes of their files.
    asked : dict
        The same, with names of subjects where ``recipe`` has hashes of what may be corrected in their files.
    val : list of Subject
        Validation subjects that it knows of.
    settled_on : SettledOn or None
        Whom a method is calibrated on; None where it is not.
    """

    method: str
    label: str
    recipe: dict[str, Any]
    asked: dict[str, Any]
    val: list[Subject]
    settled_on: SettledOn | None = None


@dataclass(frozen=True)
class Names:
    """What a run is named by.

    Parameters
    ----------
    run : dict
        Everything that the run's result depends on.
    asked : dict
        The same without the state of the data: whom and how, and not what their files hold.
    former : dict
        What version 1 of the identity was made of.
    files : dict of str to str
        For each evaluated subject whose lesions are known, a hash of all its files; they are in ``run``.
    """

    run: dict[str, Any]
    asked: dict[str, Any]
    former: dict[str, Any]
    files: dict[str, str]


@dataclass(frozen=True)
class Identity:
    """What a run and its maps are named by.

    Parameters
    ----------
    method, label : str
        Name in folders, name in tables.
    names : Names
        What the run is named by.
    maps : str
        Hash of what its maps depend on, beside the subjects.
    folder : Path
        Where the maps are kept.
    stamps : dict of str to str
        For each subject what changes when one of its files does: its map is found by it.
    people : dict of str to Subject
        The subjects as they are now, by id: columns such as the site come from here, never from a kept map.
    images : dict of str to str
        As ``stamps``, of the images alone; {} where maps come from elsewhere.
    """

    method: str
    label: str
    names: Names
    maps: str
    folder: Path
    stamps: dict[str, str]
    people: dict[str, Subject]
    images: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> MapStore:
        """The store of the maps."""
        return MapStore(self.folder, self.stamps, self.images, self.people)

    def info(self, request: RunRequest, preset: str, created: str) -> RunInfo:
        """Return what the record says of it."""
        return RunInfo(
            method=self.method,
            label=self.label,
            dataset=request.dataset,
            split=request.split,
            seed=request.seed,
            preset=preset,
            identity=identity(self.names.run),
            identity_version=IDENTITY,
            asked=identity(self.names.asked),
            former=identity(self.names.former),
            maps=self.maps,
            created=created,
        )


def revisions(config: RunConfig) -> dict[str, Any]:
    """Return what maps depend on beside the configuration: versions of reading and scoring; {} for the first ones.

    First versions are left out, so that what was made before there was a second one is found again.
    """
    out = dict(preprocess.preprocessing_revision(config.preprocessing))
    if preprocess.VERSION != 1:
        out["preprocessing_version"] = preprocess.VERSION
    if engine.VERSION != 1:
        out["scoring_version"] = engine.VERSION
    return out


def files_of(
    adapter: DatasetAdapter, subjects: Sequence[Subject], config: RunConfig
) -> dict[str, str]:
    """Return for each subject a hash of the bytes of every file that is read, and of how they are understood.

    16 hexadecimal digits each.
    """
    modalities, how = config.preprocessing.modalities, adapter.revision()
    return {s.id: identity({**how, "files": adapter.content(s, modalities)})[:16] for s in subjects}


def columns_of(subjects: Sequence[Subject]) -> dict[str, dict[str, str]]:
    """Return for each subject its site and the further columns of the split, that sub-groups are made of."""
    return {s.id: {**s.attributes, "site": s.attributes.get("site") or s.site} for s in subjects}


def name_run(
    naming: Naming,
    data: RunData,
    subjects: Evaluated,
    request: RunRequest,
    config: RunConfig,
) -> Names:
    """Return everything that a run's result depends on, in one place.

    ============================================================  =======================================================
    a result depends on                                           named by
    ============================================================  =======================================================
    bytes of every file read of those that thresholds are frozen  ``files`` (:meth:`DatasetAdapter.content`)
    on and of those reported on: modalities, mask, brain mask;
    in them affine, units and every other part of the header
    site and further columns, that sub-groups are made of         ``columns``
    who is validated on, who is reported on, whose lesions are    ``val``, ``test``, ``split``
    known; the scans that the guards compare
    the guards' answers (other splits' scans are in them)         ``guards``
    what the values of a mask mean, what a missing one means      ``options``; an adapter's file: ``adapter``
    working grid, modalities, normalisation                       ``preprocessing``, :func:`revisions`
    method, hyper-parameters, scores that count, reduction        ``method``, ``detector``, ``deviations``, ``outside``, ``reduction``
    code                                                          ``recipe`` or ``source`` and ``streams_version`` of the
                                                                  detector, :func:`revisions`, ``measurement``
    training: slices (files of the training split), loop, seed    ``training``; weights from elsewhere: their hash
    whether modalities are brought into line                      ``modality curves``
    whom either is calibrated on, and all their files             ``calibrated on``, ``calibration files``
    maps made elsewhere                                           ``maps``: their bytes
    chains, bootstraps, grids                                     ``evaluation``
    metrics, operating points, and their functions                ``measured``, ``measurement``
    seed                                                          ``seed``
    ============================================================  =======================================================

    Left out, for nothing depends on them: device, processes, workers, batch size, folders of data and workspace.

    Parameters
    ----------
    naming, data, subjects, request, config
        Of the run; the first is what the source of the maps says.
    """
    settled_on = naming.settled_on
    former = _former(naming, data, request, config)
    evaluated = [*subjects.val, *subjects.known]
    code = {
        "identity": IDENTITY,
        "measurement": protocol.VERSION,
        "measured": measured_in_records(),
        "options": data.adapter.options.model_dump(mode="json", exclude={"split_fractions"}),
        **revisions(config),
    }
    run = {
        **former,
        **code,
        "files": files_of(data.adapter, evaluated, config),
        "columns": columns_of(evaluated),
        "guards": [guard.record() for guard in data.guards],
    }
    if settled_on is not None:
        run["calibration files"] = files_of(settled_on.adapter, settled_on.subjects, config)
    return Names(run, {**former, **_asked(naming, data), **code}, former, run["files"])


def _former(
    naming: Naming, data: RunData, request: RunRequest, config: RunConfig
) -> dict[str, Any]:
    """Return what version 1 of the identity was made of; its keys stay, so that its records are known again."""
    out = {
        **naming.recipe,
        **data.adapter.revision(),
        **preprocess.preprocessing_revision(config.preprocessing),
        "evaluation": config.evaluation.model_dump(mode="json"),
        "split": request.split,
        "val": contents(naming.val, data.fingerprints),
        "test": contents(data.test, data.fingerprints),
        "seed": request.seed,
    }
    if naming.settled_on is not None:
        on = naming.settled_on
        out["calibrated on"] = contents(on.subjects, on.fingerprints)
    return out


def _asked(naming: Naming, data: RunData) -> dict[str, Any]:
    """Return names of subjects in place of the state of their files."""
    out = {**naming.asked, "val": _names(naming.val), "test": _names(data.test)}
    if naming.settled_on is not None:
        out["calibrated on"] = _names(naming.settled_on.subjects)
    return out


def _names(subjects: Sequence[Subject]) -> list[str]:
    return sorted(subject.id for subject in subjects)


def maps_identity(
    recipe: Mapping[str, Any],
    adapter: DatasetAdapter,
    request: RunRequest,
    config: RunConfig,
    settled_on: SettledOn | None,
) -> str:
    """Return the hash of what a detector's maps depend on, beside the scanned subjects, which are stamped one by one."""
    parts = {**recipe, **adapter.revision(), **revisions(config), "seed": request.seed}
    if settled_on is not None:
        parts["calibrated on"] = files_of(settled_on.adapter, settled_on.subjects, config)
    return identity(parts)
