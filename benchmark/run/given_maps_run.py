"""Evaluate anomaly maps made elsewhere: from a folder of maps to a run record that ranks with the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from andi_bench import config as configuration
from andi_bench.config import MethodEntry, RunConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.locks import exclusive
from andi_bench.names import slug
from andi_bench.records.store import Costs, RunInfo, find_run, identity
from benchmark.recording.guards import unseen_in_training
from benchmark.recording.run_record import Finished
from benchmark.run.conclusion import conclude
from benchmark.run.data import RunData, labelled, open_data
from benchmark.run.one_method import contents, default_preset
from benchmark.run.request import Outcome, RunRequest
from benchmark.scoring.given_maps import Arrivals, map_files, strangers, to_working
from benchmark.scoring.map_store import MapStore, ScoredSubject
from benchmark.scoring.subjects import read_ahead
from datasets.scans.fingerprints import file_hash
from datasets.scans.preprocess import preprocessing_revision
from datasets.subject import Subject

LONGEST_NAME = 60

_NO_MAPS = "no maps of the validation subjects (--val-maps), so no frozen threshold"


@dataclass(frozen=True)
class ForeignMaps:
    """Where the maps are, and what they are called.

    Parameters
    ----------
    name : str
        The method's name in tables.
    maps : Path
        Maps of the subjects that are reported on.
    val_maps : Path or None
        Maps of the validation subjects, that thresholds are frozen on; may be the same folder.

    Raises
    ------
    UserError
        For a name that is empty, too long, or has no letter or digit.
    """

    name: str
    maps: Path
    val_maps: Path | None = None

    def __post_init__(self) -> None:
        if not self.slug or len(self.name) > LONGEST_NAME or not self.name.isprintable():
            raise UserError(
                f"--name {self.name!r}: a name of at most {LONGEST_NAME} printable characters wanted, with a letter "
                "or digit"
            )

    @property
    def slug(self) -> str:
        """The name as it stands in names of files."""
        return slug(self.name)


def evaluate_maps(request: RunRequest, given: ForeignMaps, console: Console) -> Outcome:
    """Evaluate maps as those of any method are: same grid, brain mask, post-processing and operating points.

    Parameters
    ----------
    request : RunRequest
        Data set, split, configuration; ``method`` is not read.
    given : ForeignMaps
        The maps.
    console : Console
        Where to show progress.

    Raises
    ------
    UserError
        For whatever is wrong in what the user gave: names the file and the subject.
    """
    preset = request.preset or default_preset(request.device)
    run = configuration.load_run_config(None, preset, request.overrides, given.name)
    request.workspace.check_writable()
    for folder in (given.maps, given.val_maps):
        if folder is not None and not folder.is_dir():
            raise UserError(f"{folder}: no such folder of maps")
    modalities = run.preprocessing.modalities
    data = open_data(request, console, learns=False, modalities=modalities)
    known = labelled(data.adapter, data.test)
    if not known:
        raise UserError(
            f"dataset '{request.dataset}': no subject of its {request.split} split has a lesion mask: nothing to "
            "evaluate"
        )
    calibration = labelled(data.adapter, data.val) if given.val_maps is not None else []
    files = map_files(given.maps, [s.id for s in known])
    if given.val_maps is not None:
        files = map_files(given.val_maps, [s.id for s in calibration]) | files
    hashes = {name: file_hash(path) for name, path in sorted(files.items())}
    parts = _identity(request, run, given, data, calibration, hashes)
    scoring = {k: parts[k] for k in ("name", "preprocessing", "dataset")}
    info = RunInfo(
        method=given.slug, label=given.name, dataset=request.dataset, split=request.split,
        seed=request.seed, preset=preset, identity=identity(parts),
        maps=identity(scoring | {"maps": hashes}),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    if find_run(request.workspace.records, info) is not None:
        return Outcome(request.workspace.records / info.folder_name, None, reused=True)
    folder = request.workspace.maps / f"{given.slug}__{identity(scoring)[:12]}"
    everyone = [*calibration, *known]
    stamps = {
        s.id: identity({"map": hashes[s.id], "scan": data.adapter.content(s, modalities)})[:12]
        for s in everyone
    }
    maps = MapStore(folder, stamps)
    with exclusive(folder, console):
        arrivals = _bring(everyone, files, data, run, maps, console)
    notes = arrivals.notes()
    unknown = strangers(given.maps, [s.id for s in data.adapter.subjects()])
    if unknown:
        notes.append(
            f"{len(unknown)} files of no subject of the data set were left alone: {unknown[0]}"
            + (", ..." if len(unknown) > 1 else "")
        )
    record = conclude(
        request.workspace.records,
        Finished(
            info=info, run=run, detector=None,
            method=MethodEntry(title=given.name, family="maps made elsewhere", learns_from="not known"),
            dataset=request.dataset, trained_on="", checkpoint=None, training=None,
            training_report={}, train=[], val=[s.id for s in calibration],
            test=[s.id for s in known], unlabelled=len(data.test) - len(known),
            fingerprints={s.id: data.fingerprints[s.id] for s in everyone},
            guards=[*data.guards, unseen_in_training(None, data.fingerprints, True)],
            costs=Costs(), notes=(*data.notes, *notes), elsewhere=True,
            unfrozen=_NO_MAPS if given.val_maps is None else None,
        ),
        maps, data, everyone, workers=request.workers, console=console,
    )  # fmt: skip
    return Outcome(record, None)


def _identity(
    request: RunRequest,
    run: RunConfig,
    given: ForeignMaps,
    data: RunData,
    calibration: Sequence[Subject],
    hashes: dict[str, str],
) -> dict[str, Any]:
    return {
        "name": given.name,
        "maps": hashes,
        "preprocessing": run.preprocessing.model_dump(mode="json"),
        **preprocessing_revision(run.preprocessing),
        **data.adapter.revision(),
        "evaluation": run.evaluation.model_dump(mode="json"),
        "dataset": request.dataset,
        "split": request.split,
        "val": contents(calibration, data.fingerprints),
        "test": contents(data.test, data.fingerprints),
        "seed": request.seed,
    }


def _bring(
    subjects: Sequence[Subject],
    files: dict[str, Path],
    data: RunData,
    run: RunConfig,
    maps: MapStore,
    console: Console,
) -> Arrivals:
    """Bring every map to the working grid, and keep it beside brain and lesion mask."""
    arrivals = Arrivals()
    config = run.preprocessing
    with console.progress("reading maps", len(subjects)) as advance:
        for volume in read_ahead(data.adapter, subjects, config):
            scores = to_working(files[volume.subject], volume, config.size, arrivals)
            maps.save(
                ScoredSubject(
                    volume.subject, scores, volume.brain, volume.lesion, volume.spacing,
                    volume.site, volume.attributes, loss=volume.loss,
                )
            )  # fmt: skip
            advance(1, volume.subject)
    return arrivals
