"""The whole diagnosis of a run's false positives: counted, drawn, written down in the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from andi_bench.console import Console
from andi_bench.files import write_atomically
from andi_bench.records.schema import RunRecord
from andi_bench.workspace import Workspace
from benchmark.diagnosis.false_positives import SubjectFaults, Volumes, faults_of, total
from benchmark.diagnosis.kept_diagnosis import FILE
from benchmark.diagnosis.kept_run import KeptRun, KeptSubject
from benchmark.diagnosis.region_figure import Shown, Slice, draw
from benchmark.diagnosis.regions import (
    DEFINITIONS,
    HEIGHTS,
    REGIONS,
    VENTRICLES,
    regions_of,
    registered,
    tissues,
)

FIGURE_SUBJECTS = 6
"""Subjects that a figure shows a slice of: those with most false positives."""


class Diagnosis(BaseModel):
    """Where a run's maps light up without a lesion.

    Parameters
    ----------
    run : str
        The record's folder.
    label : str
        The method's name in tables.
    thresholds : dict of str to float
        By chain, frozen on the validation split.
    definitions : dict of str to str
        What each region is.
    subjects : tuple of SubjectFaults
        By subject and chain.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    label: str
    thresholds: dict[str, float]
    definitions: dict[str, str]
    subjects: tuple[SubjectFaults, ...]

    def of_chain(self, chain: str) -> list[SubjectFaults]:
        """Return the subjects' false positives in the maps of one chain."""
        return [one for one in self.subjects if one.chain == chain]

    def by_region(self, chain: str) -> dict[str, Volumes]:
        """Return the volumes of each region, over all subjects."""
        found = self.of_chain(chain)
        return {name: total([one.regions[name] for one in found]) for name in REGIONS}

    def by_height(self, chain: str) -> list[Volumes]:
        """Return the volumes of each height, the lowest first, over all subjects."""
        found = self.of_chain(chain)
        return [total([one.heights[k] for one in found]) for k in range(HEIGHTS)]

    def mean_of(self, chain: str) -> dict[str, float | None]:
        """Return the mean over the subjects of what the images look like, by modality, and of ``shading``."""
        found = self.of_chain(chain)
        names = list(found[0].looks) if found else []
        out = {name: _mean([one.looks[name] for one in found]) for name in names}
        return {**out, "shading": _mean([one.shading for one in found])}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def diagnose(record: RunRecord, workspace: Workspace, console: Console) -> tuple[Diagnosis, Path]:
    """Find where a run's maps light up without a lesion; return it, and the folder that holds it as JSON and figure.

    Parameters
    ----------
    record : RunRecord
        As read from its folder, which is left as it is.
    workspace : Workspace
        Holds the run's maps and views; the folder is made in it.
    console : Console
        Where to show progress.

    Raises
    ------
    UserError
        When the record has no frozen threshold, or its maps are not kept any more.
    """
    run = KeptRun(record, workspace)
    assert record.folder is not None
    last = run.chains[-1].name
    faults: list[SubjectFaults] = []
    shown: list[Shown] = []
    with console.progress("false positives", len(run.subjects)) as advance:
        for subject in run.subjects:
            kept = run.load(subject)
            regions = _regions(kept)
            found = faults_of(kept, regions)
            faults += found
            amount = next(one.total.false_positive_ml for one in found if one.chain == last)
            shown.append(_shown(kept, regions, last, amount))
            shown = sorted(shown, key=lambda one: -one.amount)[:FIGURE_SUBJECTS]
            advance(1, subject)
    diagnosis = Diagnosis(
        run=record.folder.name,
        label=record.run.label,
        thresholds=run.thresholds,
        definitions=DEFINITIONS,
        subjects=tuple(faults),
    )
    folder = workspace.diagnoses / record.folder.name
    write_atomically(folder / FILE, diagnosis.model_dump_json(indent=1) + "\n")
    title = f"{record.run.label}, {last} maps, {record.run.dataset}: false positives at the frozen threshold"
    draw(
        folder / "false-positives.png",
        diagnosis.by_region(last),
        diagnosis.by_height(last),
        shown,
        title,
    )
    return diagnosis, folder


def _regions(kept: KeptSubject) -> NDArray[np.uint8]:
    scored, path = kept.scored, kept.view_file
    transform = registered(
        kept.view, scored.brain, scored.spacing, path.parent / "template" / f"{path.stem}.json"
    )
    return regions_of(
        tissues(transform, scored.brain, scored.spacing), scored.brain, scored.spacing
    )


def _shown(kept: KeptSubject, regions: NDArray[np.uint8], chain: str, amount: float) -> Shown:
    """Keep two slices, and no volume."""
    wrong = kept.detected[chain].mask & kept.brain & ~kept.lesion
    return Shown(
        subject=kept.scored.subject,
        amount=amount,
        most=_slice(kept, regions, wrong, wrong),
        divided=_slice(
            kept, regions, kept.scored.brain, kept.scored.brain & (regions == VENTRICLES)
        ),
        spacing=kept.scored.spacing[:2],
    )


def _slice(
    kept: KeptSubject,
    regions: NDArray[np.uint8],
    coloured: NDArray[np.bool_],
    most: NDArray[np.bool_],
) -> Slice:
    """Return the slice that has most of a mask, the middle one where it is empty."""
    z = int(most.sum(axis=(0, 1)).argmax()) if most.any() else most.shape[2] // 2
    plane: Any = (*kept.view.box, z)
    return Slice(
        z=z,
        image=kept.view.images[0][..., z],
        regions=np.where(coloured[plane], regions[plane], 255).astype(np.uint8),
        lesion=kept.lesion[plane],
    )
