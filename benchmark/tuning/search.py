"""A search from end to end: trial 0 as things stand, then what the sampler proposes, until the budget is used."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from andi_bench import randomness
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.locks import exclusive
from andi_bench.metrics.measured import measured
from andi_bench.names import counted
from andi_bench.records.store import identity
from benchmark.evaluation import protocol
from benchmark.run.detector_source import DetectorSource
from benchmark.run.identity import revisions
from benchmark.run.request import RunRequest
from benchmark.training.trainer import Interrupted
from benchmark.tuning.base_settings import Base
from benchmark.tuning.budget import Budget
from benchmark.tuning.objective import Objective
from benchmark.tuning.sealed import Sealed, seal
from benchmark.tuning.search_log import SearchLog, make_log, show, write_log
from benchmark.tuning.space import Settings, Space, layer, read_space
from benchmark.tuning.study import Attempt, Sampler, Study, completed, require_optuna
from benchmark.tuning.trial import Trials
from benchmark.tuning.winner import require_writable, write_winner

_FAILURES = 5
"""So many failed trials and none that came to a figure end a search."""
_REPEATS = 25
"""So many proposals in a row that were tried before end a search."""
_NO_EFFECT = {"training": {"checkpoint_minutes", "cache"}, "scoring": {"batch_size"}}


@dataclass(frozen=True)
class SearchRequest:
    """What a user asked for.

    Parameters
    ----------
    run : RunRequest
        Method, data sets, preset, base configuration; seed and split are not read.
    space : Path
        The space file.
    objective : Objective
        What is measured.
    seeds : tuple of int
        Each trial is run with each.
    sampler : {"tpe", "random", "grid"}
        How settings are proposed.
    sampler_seed : int
        Of the proposals.
    folds : int or None
        See :func:`benchmark.tuning.sealed.seal`.
    write : Path or None
        File for the best configuration.
    """

    run: RunRequest
    space: Path
    objective: Objective
    seeds: tuple[int, ...]
    sampler: Sampler = "tpe"
    sampler_seed: int = 0
    folds: int | None = None
    write: Path | None = None


@dataclass(frozen=True)
class Found:
    """What a search left.

    Parameters
    ----------
    log : SearchLog
        Every trial.
    folder : Path
        Where it is kept.
    ended : str
        Why the search ended.
    """

    log: SearchLog
    folder: Path
    ended: str


def search(request: SearchRequest, budget: Budget, console: Console) -> Found:
    """Search, or go on with an earlier search of the same question.

    Raises
    ------
    UserError
        For whatever is wrong in what the user gave, before any work where it can be known; when all trials fail.
    """
    require_optuna()
    base = Base(request.run)
    space = read_space(request.space, base.method.Config, base.resolve)
    if request.write is not None:
        require_writable(request.write)
    run = replace(request.run, preset=base.preset)
    DetectorSource(replace(run, split="val"), console)  # checks device and folders
    run.workspace.check_writable()
    sealed = seal(run, learns=_learns(base, space), folds=request.folds, console=console)
    asked = _asked(request, base, space, sealed)
    name = f"{run.method}__{run.dataset}__{identity(asked)[:8]}"
    folder = run.workspace.tuning / name
    with exclusive(folder, console):
        folds = sealed.write(folder / "splits")
        DetectorSource(replace(run, split="val", splits=folds[0]), console).open()
        trials = Trials(run, folds, request.seeds, request.objective, console)
        study = Study(
            folder / "study.log",
            space,
            sampler=request.sampler,
            seed=request.sampler_seed,
            maximise=request.objective.higher_is_better,
        )
        log = _logger(name, asked, request, sealed)
        base_settings = {key: base.plain.value(key) for key in space.parameters}
        ended = _Loop(study, trials, budget, console, lambda a: write_log(log(a), folder)).go(
            base_settings
        )
    found = Found(log(study.attempts()), folder, ended)
    if request.write is not None:
        best = next(one for one in found.log.attempts if one.number == found.log.best)
        write_winner(request.write, found.log, base.resolve(layer(best.settings)).dump())
    return found


def _learns(base: Base, space: Space) -> bool:
    """Whether some trial depends on the training subjects: the method learns, or the normalisation does."""
    searched = space.parameters.get("preprocessing.normalisation")
    ways = {base.plain.run.preprocessing.normalisation, *(searched.tried() if searched else ())}
    return base.method.learns() or "landmarks" in ways


def _streams(base: Base, space: Space) -> dict[str, int]:
    """Return the version of the random streams where some trial draws from them."""
    training = base.plain.run.training
    searched = (key.removeprefix("training.").partition(".")[0] for key in space.parameters)
    if training.flip or training.augmentation.active or {"flip", "augmentation"} & set(searched):
        return {"streams_version": randomness.VERSION} if base.method.learns() else {}
    return base.method.streams("training", "scoring")


def _asked(request: SearchRequest, base: Base, space: Space, sealed: Sealed) -> dict[str, Any]:
    """Return everything that the trials depend on."""
    config = base.plain.run.model_dump(mode="json")
    for section, keys in _NO_EFFECT.items():
        config[section] = {k: v for k, v in config[section].items() if k not in keys}
    del config["detector"]
    return {
        "method": request.run.method,
        **base.method.revision(),
        **base.method.scoring_revision(),
        **base.plain.detector.revision(),
        **_streams(base, space),
        "dataset": request.run.dataset,
        "learnt from": sealed.source,
        "files": sealed.files,
        "split": _names(sealed),
        "preset": base.preset,
        "config": {**config, "detector": base.plain.detector.model_dump(mode="json")},
        **revisions(base.plain.run),
        "measurement": protocol.VERSION,
        "measured": measured(),
        "space": space.record(),
        "metric": request.objective.metric.key,
        "pipeline": request.objective.pipeline,
        "seeds": list(request.seeds),
        "sampler": request.sampler,
        "sampler seed": request.sampler_seed,
        "folds": request.folds,
    }


def _names(sealed: Sealed) -> list[dict[str, list[str]]]:
    return [{part: split.ids(part) for part in ("train", "val")} for split in sealed.splits]


def _logger(
    name: str, asked: dict[str, Any], request: SearchRequest, sealed: Sealed
) -> Callable[[list[Attempt]], SearchLog]:
    measured_on = {
        "subjects": list(sealed.subjects),
        "persons": sealed.persons,
        "test": sealed.tested,
    }

    def log(attempts: list[Attempt]) -> SearchLog:
        return make_log(name, asked, request.objective, _names(sealed), measured_on, attempts)

    return log


@dataclass
class _Loop:
    """Runs trials until something says that it is enough."""

    study: Study
    trials: Trials
    budget: Budget
    console: Console
    write: Callable[[list[Attempt]], None]

    def go(self, base: Settings) -> str:
        """Return why the search ended."""
        if not self.study.attempts():
            self.study.begin(self._tried(0, base))
        repeats = 0
        while True:
            attempts = self.study.attempts()
            self.write(attempts)
            own = [one for one in attempts if one.same_as is None]
            took = [one.seconds for one in own if one.state == "complete"]
            self._require_some(own)
            why = self.budget.spent(len(own) - 1, took)
            if why is None and self.study.exhausted():
                why = "all settings of the space were tried"
            if why is None and repeats >= _REPEATS:
                why = f"the last {_REPEATS} proposals had all been tried before"
            if why is not None:
                if not took:
                    raise UserError(_all_failed(own))
                return why
            number, settings = self.study.propose()
            before = next((one for one in own if one.settings == settings), None)
            repeats = repeats + 1 if before else 0
            if before is not None:
                again = {"number": number, "same_as": before.number, "parts": (), "seconds": 0.0}
                self.study.finish(before.model_copy(update=again))
            else:
                self.study.finish(self._tried(number, settings))

    def _require_some(self, own: list[Attempt]) -> None:
        if len(own) >= _FAILURES and all(one.state == "failed" for one in own):
            raise UserError(_all_failed(own))

    def _tried(self, number: int, settings: Settings) -> Attempt:
        shown = ", ".join(f"{key}={show(value)}" for key, value in settings.items())
        self.console.note(f"trial {number}: {shown}" + (" (as it stands)" if not number else ""))
        started = time.monotonic()
        try:
            parts = self.trials.run(settings if number else {})
        except Interrupted:
            raise
        except Exception as error:
            # Whatever a setting brings about, a full memory too, is a figure of that setting alone.
            reason = _reason(error)
            self.console.note(f"trial {number}: failed: {reason}")
            return Attempt(
                number=number,
                settings=settings,
                state="failed",
                seconds=round(time.monotonic() - started, 3),
                reason=reason,
            )
        attempt = completed(number, settings, parts, time.monotonic() - started)
        title = self.trials.objective.title
        self.console.note(f"trial {number}: {title} {attempt.value:.4f}, {attempt.seconds:.0f} s")
        return attempt


def _reason(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return first if isinstance(error, UserError) else f"{type(error).__name__}: {first}"


def _all_failed(own: list[Attempt]) -> str:
    return f"all {counted(len(own), 'trial')} failed; trial {own[0].number}: {own[0].reason}"
