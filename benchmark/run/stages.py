"""A run, stage by stage: data, learning, maps, evaluation, record. One way for all maps, wherever they come from."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from andi_bench.console import Console
from andi_bench.records.schema import IDENTITY, RunInfo, RunRecord
from andi_bench.records.states import confirm, earlier_of, runs_like, superseded
from andi_bench.records.store import find_run
from andi_bench.records.times import MEASURING, SCORING, write_times
from benchmark.evaluation.measurement import Loader
from benchmark.evaluation.native_grid import NativeLoader
from benchmark.evaluation.paper_protocol import paper_run
from benchmark.evaluation.protocol import Evaluation, evaluate
from benchmark.recording.facts import Cohorts, RunFacts
from benchmark.recording.guards import unseen_in_training
from benchmark.recording.record_folder import Kept, leave_record
from benchmark.recording.results import Results
from benchmark.run.data import RunData
from benchmark.run.identity import Evaluated
from benchmark.run.request import Outcome
from benchmark.run.source import MapSource, view_folder, view_store
from benchmark.scoring.engine import scoring_notes
from benchmark.scoring.map_store import MapStore
from benchmark.scoring.native_truth import TruthStore


class Run:
    """One run of one source of maps.

    Parameters
    ----------
    source : MapSource
        Makes or brings the maps.
    console : Console
        Where to show progress.
    """

    def __init__(self, source: MapSource, console: Console) -> None:
        self._source, self._request = source, source.request
        self._console = console

    def outcome(self) -> Outcome:
        """Do everything that one row in the leaderboard needs; what is done already is kept.

        Raises
        ------
        UserError
            For whatever is wrong in what the user gave.
        """
        source, request = self._source, self._request
        request.workspace.check_writable()
        data = source.open()
        subjects = source.evaluated(data)
        source.learn(data)
        same = data.source is data.adapter
        named = source.identify(data, subjects)
        created = datetime.now(UTC).isoformat(timespec="milliseconds")
        info = named.info(request, source.preset, created)
        found = find_run(request.workspace.records, info)
        existing = request.workspace.records / info.folder_name if found is not None else None
        if source.writes:
            self._compare_states(info, data.place, found)
        if existing is not None and source.export is None:
            return Outcome(existing, None, reused=True)
        with source.alone(named.folder):
            begun = time.monotonic()
            source.bring(data, subjects, named, finished=existing is not None)
            scored = time.monotonic()
            # what is measured already needs no masks: the scans stay closed
            truths = self._truths(data, subjects) if existing is None else None
        if not source.writes or not subjects.known:
            return Outcome(None, source.export)
        if existing is not None:
            return Outcome(existing, source.export, reused=True)
        facts = self._facts(info, data, subjects, same, named.names.files)
        maps = named.store
        results = self._measured(facts, maps, truths)
        views = view_store(request, data, source.config, subjects.known)
        kept = Kept(maps, views, source.expecter(data, subjects))
        record = leave_record(request.workspace.records, facts, results, kept, self._console)
        write_times(record, {SCORING: scored - begun, MEASURING: time.monotonic() - scored})
        return Outcome(record, source.export)

    def _compare_states(self, info: RunInfo, place: str, found: RunRecord | None) -> None:
        """Say which records are of earlier data; make one that is of today's data stand before newer ones."""
        like = runs_like(self._request.workspace.records, info)
        if found is not None:
            if info.identity in superseded(like):
                confirm(found)
            return
        for record in earlier_of(info, place, like)[:1]:
            older = record.run.identity_version < IDENTITY
            why = (
                "is of an older version, and does not say what its files held: it cannot be proven current"
                if older
                else "is of the data before they were changed"
            )
            self._console.note(f"older record  {record.folder} {why}; a new one is made beside it")

    def _facts(
        self, info: RunInfo, data: RunData, subjects: Evaluated, same: bool, files: dict[str, str]
    ) -> RunFacts:
        origin = self._source.facts(data, subjects)
        return RunFacts(
            info=info,
            config=self._source.config,
            method=origin.method,
            learning=origin.learning,
            cohorts=Cohorts(
                val=[s.id for s in subjects.val],
                test=[s.id for s in subjects.known],
                unlabelled=len(data.test) - len(subjects.known),
                fingerprints=origin.fingerprints,
                files=files,
                place=data.place,
            ),
            guards=[
                *data.guards,
                unseen_in_training(
                    origin.trained_on, data.fingerprints, same, data.persons, data.adapter.split()
                ),
            ],
            costs=origin.costs,
            notes=(*data.notes, *origin.notes, *scoring_notes(self._source.config.scoring)),
            unfrozen=origin.unfrozen,
            arithmetic=origin.arithmetic,
        )

    def _truths(self, data: RunData, subjects: Evaluated) -> TruthStore | None:
        """Keep the masks on the scans' own grids, where it is measured there; None elsewhere."""
        source = self._source
        if source.config.evaluation.grid != "native" or not subjects.known or not source.writes:
            return None
        preprocessing = source.config.preprocessing
        wanted = {s.id: s for s in [*subjects.val, *subjects.known]}
        stamps = view_store(self._request, data, source.config, list(wanted.values())).stamps
        folder: Path = view_folder(self._request, data, source.config) / "native"
        store = TruthStore(folder, preprocessing, stamps)
        missing = store.missing(list(wanted))
        if missing:
            with self._console.progress("masks on the scans' grids", len(missing)) as advance:
                for name in missing:
                    store.keep(data.adapter, wanted[name])
                    advance(1, name)
        return store

    def _measured(self, facts: RunFacts, maps: MapStore, truths: TruthStore | None) -> Results:
        """Measure the maps as the configuration says."""
        settings, cohorts = facts.config.evaluation, facts.cohorts

        def measured(load: Loader) -> Evaluation:
            result = evaluate(
                load,
                cohorts.val,
                cohorts.test,
                settings,
                workers=self._request.workers,
                console=self._console,
            )
            return replace(result, unranked=_unranked(result, facts))

        working = measured(maps.load)
        native = measured(NativeLoader(maps.load, truths)) if truths is not None else None
        paper = None
        if settings.protocol == "paper":
            paper = paper_run(maps.load, cohorts.test, settings, facts.method.entry)
        return Results(working, native, paper)


def _unranked(result: Evaluation, facts: RunFacts) -> str | None:
    if facts.unfrozen is not None:
        return facts.unfrozen
    if result.unranked is None and facts.info.split == "val":
        return "reported on the validation split, where its thresholds were found"
    return result.unranked
