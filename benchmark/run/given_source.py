"""Maps made elsewhere: brought from a folder to the working grid, so that they rank with the rest."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from andi_bench import config as configuration
from andi_bench.config import MethodEntry, RunConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.locks import exclusive
from andi_bench.names import counted, slug
from andi_bench.records.store import Costs, identity
from benchmark.recording.facts import LearningFacts, MethodFacts
from benchmark.run.accelerator import default_preset
from benchmark.run.data import DataSets, RunData, labelled, settled
from benchmark.run.identity import Evaluated, Identity, Naming, name_run, revisions
from benchmark.run.request import RunRequest
from benchmark.run.source import Facts, export_folder, view_store
from benchmark.scoring.export_folder import ExportFolder
from benchmark.scoring.given_maps import (
    Adaptations,
    map_files,
    read_map,
    to_working,
    unmatched_maps,
)
from benchmark.scoring.map_store import MapStore
from benchmark.scoring.score_scale import common_scale
from benchmark.scoring.subjects import original_names, read_ahead, scored_subject
from datasets.adapters.landmarks import wants_landmarks
from datasets.prepare.register.original_grid import preparation_of, save_on_original
from datasets.prepare.sidecar import Preparation
from datasets.scans.fingerprints import file_hash
from datasets.subject import Subject

LONGEST_NAME = 60

_NO_MAPS = "no maps of the validation subjects (--val-maps), so no frozen threshold"


@dataclass(frozen=True)
class MapFolders:
    """Where given maps are, and what they are called.

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


class GivenSource:
    """The source of a run of given maps; implements :class:`benchmark.run.source.MapSource`.

    Parameters
    ----------
    request : RunRequest
        Data set, split, configuration; ``method`` is not read.
    given : MapFolders
        The maps.
    console : Console
        Where to show progress.

    Raises
    ------
    UserError
        For whatever is wrong in the configuration or the folders: before any work is done.
    """

    writes = True

    def __init__(self, request: RunRequest, given: MapFolders, console: Console) -> None:
        self.request, self.export = request, request.export
        self.preset = request.preset or default_preset(request.device)
        self.config: RunConfig = configuration.load_run_config(
            None, self.preset, request.overrides, given.name
        )
        # Maps that were made elsewhere are measured on the whole grid: what a detector is given says nothing of them.
        whole = self.config.preprocessing.model_copy(update={"crop": "none", "crop_box": None})
        self.config = self.config.model_copy(update={"preprocessing": whole})
        for folder in (given.maps, given.val_maps):
            if folder is not None and not folder.is_dir():
                raise UserError(f"{folder}: no such folder of maps")
        learns = wants_landmarks(self.config.preprocessing)
        self._data_sets = DataSets.find(request, learns=learns)
        self._given, self._console = given, console
        self._notes: list[str] = []

    def open(self) -> RunData:
        """Prepare and check the data.

        Raises
        ------
        UserError
            As :meth:`benchmark.run.data.DataSets.open`; where maps are to be exported and no subject was prepared by
            this package, or the folder for them holds others'.
        """
        data = self._data_sets.open(
            self._console,
            method=self.request.method,
            modalities=self.config.preprocessing.modalities,
        )
        self.config = settled(self.config, data, self.request, self._console)
        exports = export_folder(self.export, self.request)
        if exports is not None:
            found = self._prepared(data.test).values()
            exports.require_free(name for preparation in found for name in _names(preparation))
        return data

    def learn(self, data: RunData) -> None:
        """Do nothing: who made the maps has learnt already."""

    def evaluated(self, data: RunData) -> Evaluated:
        """Return the subjects whose lesions are known: given maps are only evaluated.

        Raises
        ------
        UserError
            When there is none, one of them has no map, or two.
        """
        request, given = self.request, self._given
        known = labelled(data.adapter, data.test)
        if not known:
            raise UserError(
                f"dataset '{request.dataset}': no subject of its {request.split} split has a lesion mask: nothing to "
                "evaluate"
            )
        val = labelled(data.adapter, data.val) if given.val_maps is not None else []
        self._files = map_files(given.maps, [s.id for s in known])
        if given.val_maps is not None:
            self._files = map_files(given.val_maps, [s.id for s in val]) | self._files
        with self._console.progress("looking at scores", len(self._files)) as advance:
            self._scale = common_scale(list(self._files.values()), lambda: advance(1, ""))
        return Evaluated(val, known, known)

    def identify(self, data: RunData, subjects: Evaluated) -> Identity:
        """Name the run by the bytes of its maps, the data and the configuration.

        Raises
        ------
        UserError
            When a file cannot be read, or the folder for exported maps is another run's.
        """
        request, config, given = self.request, self.config, self._given
        self._hashes = {name: file_hash(path) for name, path in sorted(self._files.items())}
        scoring = {
            "name": given.name,
            "preprocessing": config.preprocessing.model_dump(mode="json"),
            "dataset": request.dataset,
        }
        if self._scale is not None:  # one of all maps: another one among them makes another
            scoring["scores"] = self._scale.description()
        recipe = {**scoring, "maps": self._hashes}
        naming = Naming(given.slug, given.name, recipe, {}, subjects.val)
        kept = {**scoring, **data.adapter.revision(), **revisions(config)}
        modalities = config.preprocessing.modalities
        folder = request.workspace.maps / f"{given.slug}__{identity(kept)[:12]}"
        run = identity({"maps": folder.name, "data": data.place})[:16]
        self._exports = export_folder(self.export, request, run)
        everyone = {s.id: s for s in [*subjects.val, *subjects.known]}
        return Identity(
            method=given.slug,
            label=given.name,
            names=name_run(naming, data, subjects, request, config),
            maps=identity({**kept, "maps": self._hashes}),
            folder=folder,
            stamps={
                name: identity(
                    {"map": self._hashes[name], "scan": data.adapter.content(s, modalities)}
                )[:12]
                for name, s in everyone.items()
            },
            people=everyone,
        )

    def alone(self, folder: Path) -> AbstractContextManager[None]:
        """Hold the folder of the maps."""
        return exclusive(folder, self._console)

    def bring(
        self, data: RunData, subjects: Evaluated, identity: Identity, *, finished: bool
    ) -> None:
        """Bring every map to the working grid, and keep it beside brain and lesion mask.

        Raises
        ------
        UserError
            As :func:`benchmark.scoring.given_maps.to_working`, and where a map to be exported is missing.
        """
        if not finished:
            self._keep(data, subjects, identity.store)
        if self._exports is not None:
            self._export(data.test, self._exports)

    def expecter(self, data: RunData, subjects: Evaluated) -> None:
        """Return None: what given maps come from is not known."""

    def facts(self, data: RunData, subjects: Evaluated) -> Facts:
        """Return what little is known of the maps."""
        title = self._given.name
        entry = MethodEntry(title=title, family="maps made elsewhere", learns_from="not known")
        return Facts(
            method=MethodFacts(entry),
            learning=LearningFacts("elsewhere"),
            costs=Costs(),
            trained_on=None,
            fingerprints={s.id: data.fingerprints[s.id] for s in [*subjects.val, *subjects.known]},
            notes=tuple(self._notes),
            unfrozen=_NO_MAPS if self._given.val_maps is None else None,
        )

    def _keep(self, data: RunData, subjects: Evaluated, maps: MapStore) -> None:
        adaptations, config = Adaptations(scale=self._scale), self.config.preprocessing
        everyone = [*subjects.val, *subjects.known]
        reported = {subject.id for subject in subjects.known}
        views = view_store(self.request, data, self.config, subjects.known)
        with self._console.progress("reading maps", len(everyone)) as advance:
            for volume in read_ahead(data.adapter, everyone, config):
                path = self._files[volume.subject]
                scores = to_working(path, volume, config.size, adaptations)
                maps.save(scored_subject(volume, scores))
                if volume.subject in reported:
                    views.keep(volume)
                advance(1, volume.subject)
        self._notes = adaptations.notes()
        unknown = unmatched_maps(self._given.maps, [s.id for s in data.adapter.subjects()])
        if unknown:
            more = ", ..." if len(unknown) > 1 else ""
            self._notes.append(
                f"left alone: {counted(len(unknown), 'file')} of no subject of the data set: {unknown[0]}{more}"
            )

    def _prepared(self, subjects: list[Subject]) -> dict[str, Preparation]:
        """Return the sidecars of the subjects that lie on another grid than the user's files."""
        prepared = {s.id: p for s in subjects if (p := preparation_of(s.paths)) is not None}
        if not prepared:
            raise UserError(
                f"--export-maps: no subject of dataset '{self.request.dataset}' has a preparation.json beside its "
                "files: its maps lie on the user's files already"
            )
        return prepared

    def _export(self, subjects: list[Subject], exports: ExportFolder) -> None:
        """Write each map as ``<folder>/<subject>_on_<original file>.nii.gz``."""
        prepared = self._prepared(subjects)
        files = map_files(self._given.maps, list(prepared))
        exports.claim()
        with self._console.progress("exporting maps", len(prepared)) as advance:
            for subject, preparation in prepared.items():
                for name, stamp in _names(preparation, file_hash(files[subject])).items():
                    if not exports.holds(name, stamp):
                        scan = read_map(files[subject], self._scale)
                        write = partial(save_on_original, scan.values, scan.affine, preparation)
                        exports.put(name, stamp, write)
                advance(1, subject)


def _names(preparation: Preparation, stamp: str = "") -> dict[str, str]:
    """Return the file that a map is exported to, which lies in the folder itself, and what it is made from."""
    return {Path(n).name: made for n, made in original_names(preparation, stamp).items()}
