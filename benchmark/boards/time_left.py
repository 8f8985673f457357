"""How long the runs that a leaderboard lacks will take, from those that are there."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from andi_bench.records.schema import RunRecord
from leaderboard.publishing.budget import in_words
from leaderboard.publishing.missing import Expected


class TimeLeft:
    """The runs to come, and how long they will take.

    A run is expected to take what the last one of its method on its data set took here; else what published runs of its method
    say, training (where that is still to be done) and scoring; else the mean of all that is known.

    Parameters
    ----------
    runs : iterable of Expected
        To come, in order.
    published : iterable of RunRecord
        Those that are there.
    preset : str
        Of all these runs.
    """

    def __init__(
        self, runs: Iterable[Expected], published: Iterable[RunRecord], preset: str
    ) -> None:
        self.runs = list(runs)
        own = [run for run in published if run.run.preset == preset]
        self._trained = {(run.run.method, run.run.seed) for run in own}
        self._took: dict[tuple[str, str, bool], float] = {}
        self._training = _means((run.run.method, run.costs.training_seconds) for run in own)
        self._volume = _means((run.run.method, run.costs.seconds_per_volume) for run in own)
        self._volumes = {run.run.dataset: sum(run.protocol.subjects.values()) for run in own}

    def finish(self, seconds: float, well: bool) -> None:
        """Take the first run off the list; ``well``: it did not fail, so that its time tells of others."""
        run = self.runs.pop(0)
        key = run.method, run.seed
        if well:
            self._took[run.method, run.data.shown, key not in self._trained] = seconds
        self._trained.add(key)

    def seconds(self) -> float | None:
        """Return how long all will take; None where nothing is known of any."""
        trained, found = set(self._trained), []
        for run in self.runs:
            key = run.method, run.seed
            found.append(self._one(run, key not in trained))
            trained.add(key)
        known = [value for value in [*found, *self._took.values()] if value is not None]
        if not known:
            return None
        mean = statistics.fmean(known)
        return sum(mean if value is None else value for value in found)

    def in_words(self) -> str:
        """Return how many runs are left, and how long they will take."""
        number = f"{len(self.runs)} run{'s' if len(self.runs) != 1 else ''} left"
        seconds = self.seconds()
        return f"{number}, some {in_words(seconds)}" if seconds is not None else number

    def _one(self, run: Expected, trains: bool) -> float | None:
        for training in (trains, not trains):
            here = self._took.get((run.method, run.data.shown, training))
            if here is not None:
                return here
        scoring = self._volume.get(run.method)
        if scoring is None:
            return None
        volumes = self._volumes.get(run.data.shown)
        if volumes is None and self._volumes:
            volumes = max(self._volumes.values())
        training_seconds = self._training.get(run.method, 0.0) if trains else 0.0
        return training_seconds + scoring * (volumes or 0)


def _means(values: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    known: dict[str, list[float]] = {}
    for method, value in values:
        if value is not None:
            known.setdefault(method, []).append(value)
    return {method: statistics.fmean(found) for method, found in known.items()}
