"""From the anomaly maps of a run to its record: the one way for all maps, wherever they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from andi_bench.console import Console
from benchmark.evaluation.measurement import Loader
from benchmark.evaluation.native_grid import NativeLoader
from benchmark.evaluation.paper_protocol import paper_run
from benchmark.evaluation.protocol import Evaluation, evaluate
from benchmark.recording.run_record import Finished, Results, leave_record
from benchmark.run.data import RunData
from benchmark.scoring.map_store import MapStore
from datasets.subject import Subject
from datasets.volume import Volume


def conclude(
    records: Path,
    finished: Finished,
    maps: MapStore,
    data: RunData,
    subjects: Sequence[Subject],
    *,
    workers: int | None,
    console: Console,
) -> Path:
    """Measure the maps as the configuration says, and leave the run record.

    Parameters
    ----------
    records : Path
        Folder of the records.
    finished : Finished
        The run; its ``val`` and ``test`` are the subjects that thresholds are found on, and that are reported on.
    maps : MapStore
        Holds all of them.
    data : RunData
        The scans.
    subjects : sequence of Subject
        At least the subjects of ``val`` and ``test``.
    workers : int or None
        See :func:`benchmark.evaluation.protocol.evaluate`.
    console : Console
        Where to show progress.

    Returns
    -------
    Path
        The record's folder.

    Raises
    ------
    UserError
        For non-finite scores, a scan that cannot be read, or a record that cannot be written.
    """
    settings = finished.run.evaluation
    preprocessing = finished.run.preprocessing
    members = {subject.id: subject for subject in subjects}

    def measured(load: Loader) -> Evaluation:
        result = evaluate(
            load, finished.val, finished.test, settings, workers=workers, console=console
        )
        return replace(result, unranked=_unranked(result, finished))

    native = paper = None
    working = measured(maps.load)
    if settings.grid == "native":
        native = measured(NativeLoader(maps.load, data.adapter, members, preprocessing))
    if settings.protocol == "paper":
        paper = paper_run(maps.load, finished.test, settings, finished.method)

    def reader(name: str) -> Volume:
        return data.adapter.read(members[name], preprocessing)

    return leave_record(records, finished, Results(working, native, paper), maps, reader)


def _unranked(result: Evaluation, finished: Finished) -> str | None:
    if finished.unfrozen is not None:
        return finished.unfrozen
    if result.unranked is None and finished.info.split == "val":
        return "reported on the validation split, where its thresholds were found"
    return result.unranked
