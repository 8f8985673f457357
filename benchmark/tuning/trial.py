"""One trial: a method with some settings, trained and scored as by ``run``, measured on validation subjects."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from andi_bench.config import EvaluationConfig
from andi_bench.console import Console
from benchmark.evaluation.protocol import evaluate
from benchmark.recording.guards import unseen_in_training
from benchmark.run.detector_source import DetectorSource
from benchmark.run.request import RunRequest
from benchmark.tuning.objective import Objective
from benchmark.tuning.space import Settings, layer


class Part(BaseModel):
    """What one seed and fold of a trial came to.

    Parameters
    ----------
    seed, fold : int
        Which.
    value : float
        The metric.
    subjects : dict of str to float or None
        What each subject has of it; {} where subjects have none.
    training : str
        Folder of the training in the workspace; "" where nothing is learnt.
    training_seconds : float or None
        How long that took, now or when it was made.
    seconds : float
        How long this part took, with all that was found again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int
    fold: int
    value: float
    subjects: dict[str, float | None]
    training: str
    training_seconds: float | None
    seconds: float


@dataclass(frozen=True)
class Trials:
    """Runs trials.

    Parameters
    ----------
    request : RunRequest
        Method, data sets, preset and the base configuration.
    folds : sequence of Path
        Folders of the lists of each fold.
    seeds : sequence of int
        Each trial is run with each.
    objective : Objective
        What is measured.
    console : Console
        Where to show progress.
    """

    request: RunRequest
    folds: Sequence[Path]
    seeds: Sequence[int]
    objective: Objective
    console: Console

    def run(self, settings: Settings) -> list[Part]:
        """Train, score and measure, for every seed and fold; what is in the workspace already is found again.

        Parameters
        ----------
        settings : dict
            Values by key, on top of the base configuration.

        Raises
        ------
        UserError
            As a run does.
        """
        return [
            self._part(self._request(settings, seed, folder), fold)
            for seed in self.seeds
            for fold, folder in enumerate(self.folds)
        ]

    def _request(self, settings: Settings, seed: int, splits: Path) -> RunRequest:
        overrides = [*self.request.overrides, layer(settings)]
        return replace(self.request, seed=seed, splits=splits, split="val", overrides=overrides)

    def _part(self, request: RunRequest, fold: int) -> Part:
        started = time.monotonic()
        source = DetectorSource(request, self.console)
        data = source.open()
        subjects = source.evaluated(data)
        source.learn(data)
        named = source.identify(data, subjects)
        with source.alone(named.folder):
            source.bring(data, subjects, named, finished=False)
        facts = source.facts(data, subjects)
        same = data.source is data.adapter
        unseen_in_training(
            facts.trained_on, data.fingerprints, same, data.persons, data.adapter.split()
        )
        names = [subject.id for subject in subjects.known]
        found = evaluate(
            named.store.load,
            names,
            names,
            _quick(source.config.evaluation),
            workers=request.workers,
            console=Console(quiet=True),
        )
        value, each = self.objective.measured(found)
        report: dict[str, Any] = facts.learning.report
        return Part(
            seed=request.seed,
            fold=fold,
            value=value,
            subjects=each,
            training=facts.learning.curve.parent.name if facts.learning.curve else "",
            training_seconds=report.get("seconds"),
            seconds=round(time.monotonic() - started, 3),
        )


def _quick(config: EvaluationConfig) -> EvaluationConfig:
    """Return what the figures need; intervals are not looked at."""
    return config.model_copy(update={"bootstraps": 0})


def mean(parts: Sequence[Part]) -> float:
    """Return the mean over seeds and folds."""
    return sum(part.value for part in parts) / len(parts)
