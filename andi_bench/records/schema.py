"""What a run record says, field by field: the content of ``record.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ConfigDict, Field

from andi_bench.names import folder_word
from andi_bench.records.summaries import ChainSummary as ChainSummary
from andi_bench.records.summaries import FrocAt as FrocAt
from andi_bench.records.summaries import FrocCurve as FrocCurve
from andi_bench.records.summaries import Part as Part
from andi_bench.records.summaries import Pooled as Pooled
from andi_bench.records.summaries import RecordedThreshold as RecordedThreshold
from andi_bench.records.summaries import ScanLevel as ScanLevel
from andi_bench.records.summaries import SubjectSummary as SubjectSummary
from andi_bench.records.summaries import ThresholdSpread as ThresholdSpread
from andi_bench.records.summaries import Told as Told

SCHEMA: Literal[5] = 5
IDENTITY: Literal[2] = 2
"""Version of what :attr:`RunInfo.identity` is a hash of. Version 1 knew of the evaluated subjects the first scan's voxels
alone: not the other modalities, nor the mask, the affine, the columns."""

GRID = "grid"
"""Column of ``subjects.csv`` that tells the grids of a record apart."""

LESION_ML = "lesion_ml"
"""Column of ``subjects.csv`` with the volume of a subject's lesions in the brain, ml."""

NOTHING, EVERYTHING = "nothing", "everything"
"""References: an empty detection, and the whole brain detected."""

READABLE = (1, 2, 3, 4, 5)
"""Versions that can be read: 2 added what 1 leaves at its default (sub-groups, native grid, paper's protocol), 3 what names
the state of the data (:data:`IDENTITY`, ``asked``, ``former``, ``files``, ``data_fingerprint``), 4 the version of the protocol (:attr:`Protocol.version`), 5 what a frozen threshold reaches on
the validation subjects (:attr:`RecordedThreshold.reached`) and its own uncertainty (:class:`ThresholdSpread`), figures of scans,
FROC and reference rows."""


NOT_KNOWN = "not known"
"""Name of the sub-group of those whose column is empty."""

SMALLEST_GROUP = 5
"""Subjects: of fewer, no figure of a sub-group is given, for they say nothing of the group."""

MATCHED_SINCE = LESION_FREE_APART = 2
"""Version of the protocol from which on lesions and detections are matched one to one, and from which on thresholds and means
are over subjects with a lesion, the others apart."""


class RunInfo(Part):
    """Which run this is.

    ``method`` is the registered name, ``label`` its name in tables; ``split`` the scored split; ``identity`` the
    hash of what identifies the run (:func:`identity`), by version ``identity_version`` of its making; ``asked`` the hash
    of the same without the state of the data: runs that share it differ in what the files held; ``former`` the identity
    that version 1 would have given; ``maps`` the hash of what its anomaly maps come from: runs that share it differ in
    how they were measured, or in the data, alone; ``created`` ISO 8601 with time zone.
    """

    method: str = Field(min_length=1)
    label: str = Field(min_length=1)
    dataset: str = Field(min_length=1)
    split: str = "test"
    seed: int = 0
    preset: str = ""
    identity: str = Field(pattern=r"^[0-9a-f]{16,}$")
    identity_version: Literal[1, 2] = 1
    asked: str = ""
    former: str = ""
    maps: str = ""
    created: str = ""
    status: Literal["complete"] = "complete"

    @property
    def folder_name(self) -> str:
        """Name of the record's folder: method, data set, seed and the head of the identity."""
        method, dataset = (folder_word(name) for name in (self.method, self.dataset))
        return f"{method}__{dataset}__seed{self.seed}__{self.identity[:8]}"


class Protocol(Part):
    """How the run was measured; runs that differ here do not stand in one table.

    ``version`` is that of the protocol: 1, also of records that do not say, averaged Dice over subjects without a lesion too,
    counted both masks empty as 1, and froze thresholds so; its lesion-wise F1 counted whatever touched. Columns and figures
    that mean something else since have other names. ``spacing_mm`` and ``shape`` are the grid's, None where they differ between subjects; ``chains`` the
    post-processings scored; ``median_mm`` the extent of the median filter that was asked for, ``median_voxels`` its window on this grid; ``subjects`` the number per split;
    ``split_fingerprint`` a hash of who is in which split, by the voxels of the first modality; ``data_fingerprint`` one of
    all files that were read of them, "" in older records.
    """

    name: str = "standard"
    version: int = 1
    region: str = "brain"
    grid: str = "working"
    spacing_mm: tuple[float, float, float] | None = None
    shape: tuple[int, int, int] | None = None
    chains: tuple[str, ...] = Field(("raw", "median5"), min_length=1)
    median_mm: tuple[float, float, float] | None = None
    median_voxels: tuple[int, int, int] | None = None
    erosion: int = 0
    min_component_ml: float = 0.0
    split_fingerprint: str = ""
    data_fingerprint: str = ""
    subjects: dict[str, int] = Field(default_factory=dict)


class MethodInfo(Part):
    """What the method is, for the table and its footnotes.

    ``calibration``: what it settled on validation data; ``chance``: whether its maps depend on the seed, None where its file
    does not say.
    """

    title: str = ""
    paper: str = ""
    year: int | None = None
    family: str = ""
    learns_from: str = ""
    chance: bool | None = None
    calibration: dict[str, float] = Field(default_factory=dict)


class DataInfo(Part):
    """Which data were used, and who was in which split.

    ``fingerprints`` are hashes of the voxels of each subject's first modality, ``files`` of the bytes of all files that
    were read of those that were evaluated; "" or {} in older records.
    """

    title: str = ""
    trained_on: str = ""
    healthy_source: str = ""
    fingerprints: dict[str, str] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    train: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


class GuardResult(Part):
    """One machine-checked guard; ``passed`` is None where it cannot be known."""

    name: str
    passed: bool | None
    detail: Told = ""


class Group(Part):
    """Test subjects that share something: ``name`` such as ``ljubljana`` or ``Q1 (23 to 41)``, results by chain.

    A figure that rests on fewer than :data:`SMALLEST_GROUP` subjects has no value; in records before schema 5 it may have one.
    """

    name: str
    subjects: tuple[str, ...]
    results: dict[str, ChainSummary] = Field(default_factory=dict)


class GridResults(Part):
    """Results on another grid than the working one; fields as in :class:`Protocol` and :class:`RunRecord`."""

    spacing_mm: tuple[float, float, float] | None = None
    shape: tuple[int, int, int] | None = None
    operating_points: dict[str, dict[str, RecordedThreshold]] = Field(default_factory=dict)
    summary: dict[str, ChainSummary]
    groups: dict[str, tuple[Group, ...]] = Field(default_factory=dict)
    references: dict[str, ChainSummary] = Field(default_factory=dict)
    notes: tuple[Told, ...] = ()


class LostLesion(Part):
    """A lesion of the scan's own mask that has no voxel on the working grid: volume and centre in the world, mm."""

    subject: str
    ml: float
    centre_mm: tuple[float, float, float]


class Lesions(Part):
    """Lesions (26-connected) of the test scans' own masks: how many, and which the working grid loses."""

    total: int
    lost: tuple[LostLesion, ...] = ()


class PaperChain(Part):
    """What the paper's protocol gives for one chain.

    ``threshold`` is the lowest of the highest mean ``dice`` in the window, on scaled maps, ``edge`` whether it is an
    end of the window; ``yen_dice`` the mean Dice at Yen's thresholds after one dilation; ``auprc`` the average
    precision over all voxels of the grid, None without a lesion.
    """

    threshold: float
    dice: float
    edge: bool
    yen_dice: float
    auprc: float | None


class Paper(Part):
    """Results by the protocol of the ANDi publication's code; region: every voxel of the working grid."""

    window: tuple[float, float]
    min_max: bool
    chains: dict[str, PaperChain]


class Costs(Part):
    """What the method costs; None where it was not measured."""

    seconds_per_volume: float | None = None
    peak_memory_mb: float | None = None
    network_calls_per_slice: float | None = None
    parameters: int | None = None
    training_seconds: float | None = None
    training_steps: int | None = None
    device: Told = ""


class RunRecord(Part):
    """A run, whole.

    ``operating_points``, ``summary``, ``groups`` and ``notes`` are those of the working grid; ``native`` holds the
    same on the scans' own grids, where that was asked for (:meth:`on_grid`). ``groups`` is keyed by what the subjects
    were grouped by, ``references`` by :data:`NOTHING` and :data:`EVERYTHING`: what they give on the same subjects. ``unranked`` is the reason why the run has no rank, None where it may have one.
    """

    version: Literal[1, 2, 3, 4, 5] = Field(SCHEMA, alias="schema")
    run: RunInfo
    protocol: Protocol
    method: MethodInfo = MethodInfo()
    data: DataInfo = DataInfo()
    guards: tuple[GuardResult, ...] = ()
    operating_points: dict[str, dict[str, RecordedThreshold]] = Field(default_factory=dict)
    summary: dict[str, ChainSummary]
    groups: dict[str, tuple[Group, ...]] = Field(default_factory=dict)
    references: dict[str, ChainSummary] = Field(default_factory=dict)
    native: GridResults | None = None
    lesions: Lesions | None = None
    paper: Paper | None = None
    costs: Costs = Costs()
    training: dict[str, Any] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)
    notes: tuple[Told, ...] = ()
    unranked: Told | None = None
    folder: Path | None = Field(None, exclude=True, description="where it was read from")
    confirmed: str = Field(
        "",
        exclude=True,
        description="when a run last found it, beside a newer one, to be of the data as they are",
    )

    model_config = ConfigDict(populate_by_name=True)

    @property
    def grids(self) -> tuple[str, ...]:
        """Grids that the run was measured on."""
        return (self.protocol.grid, "native") if self.native is not None else (self.protocol.grid,)

    def on_grid(self, grid: str) -> RunRecord:
        """Return the run as measured on one of its :attr:`grids`.

        Raises
        ------
        ValueError
            For a grid that it was not measured on.
        """
        if grid == self.protocol.grid:
            return self
        if grid != "native" or self.native is None:
            raise ValueError(f"grid '{grid}': one of {', '.join(self.grids)} wanted")
        found = self.native
        protocol = self.protocol.model_copy(
            update={"grid": grid, "spacing_mm": found.spacing_mm, "shape": found.shape}
        )
        return self.model_copy(
            update={
                "protocol": protocol,
                "operating_points": found.operating_points,
                "summary": found.summary,
                "groups": found.groups,
                "references": found.references,
                "notes": found.notes,
                "native": None,
                "paper": None,
            }
        )

    def to_json(self) -> str:
        """Return the text of ``record.json``.

        Raises
        ------
        ValueError
            For a number that is not finite, or a value that JSON does not know.
        """
        content = self.model_dump(by_alias=True)
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=jsonable)


def jsonable(value: Any) -> Any:
    """Turn what JSON does not know (numpy numbers and arrays, paths) into what it does; for ``json.dumps``."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise ValueError(f"{type(value).__name__} cannot stand in a record")
