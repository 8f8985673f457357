"""How long a command still takes: its runs to come, from runs that were made. One rule for every command that makes several."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from andi_bench.console import in_words
from andi_bench.names import counted
from andi_bench.records.schema import RunRecord
from andi_bench.records.search import find_records
from andi_bench.records.speeds import KeptSpeed, kept_speeds
from andi_bench.records.times import MEASURING, SCORING, read_times
from andi_bench.workspace import Workspace

USUAL = 2.0
"""Seconds a volume to read, filter, measure and draw, where no record says; on small grids and two cores."""
SHORT = 5.0
"""Seconds: of less nothing is said."""


@dataclass(frozen=True)
class Planned:
    """A run to come.

    Parameters
    ----------
    method, dataset : str
        As records name them.
    seed : int
        Seed.
    found : bool
        Whether an equal run seems to be there already: it is found again in no time.
    """

    method: str
    dataset: str
    seed: int
    found: bool = False


@dataclass(frozen=True)
class _Expected:
    """Seconds that a run will take; ``whole``: no part of it is left out because nothing is known of it."""

    seconds: float
    whole: bool = True


class TimeLeft:
    """The runs to come, and how long they will take.

    A run is expected to take what the last one of its method on its data set took in this command; else what earlier runs of its
    method say: training, where that is still to be done, scoring, a volume at a time, and measuring. Of a method without a run it is
    what ``speed`` measured on this machine, if it was asked to; where the number of volumes or of training steps is not known yet,
    that part is left out, and the whole told as "more than". Of a method without either nothing is said.

    Parameters
    ----------
    runs : iterable of Planned
        To come, in order.
    known : iterable of RunRecord
        Runs that were made.
    preset : str
        Of all these runs: others tell nothing of them.
    scores : bool
        Whether they are scored and measured too, or trained alone.
    speeds : iterable of KeptSpeed
        What ``speed`` measured on this machine; see :func:`speeds_of`.
    """

    def __init__(
        self,
        runs: Iterable[Planned],
        known: Iterable[RunRecord],
        preset: str,
        *,
        scores: bool = True,
        speeds: Iterable[KeptSpeed] = (),
    ) -> None:
        self.runs = list(runs)
        self._scores = scores
        own = [run for run in known if run.run.preset == preset]
        self._trained = {(run.run.method, run.run.seed) for run in own}
        self._took: dict[tuple[str, str, bool], float] = {}
        self._training = _means((run.run.method, run.costs.training_seconds) for run in own)
        self._volume = _means((run.run.method, run.costs.seconds_per_volume) for run in own)
        self._volumes = {run.run.dataset: _volumes(run) for run in own}
        times = [(run, read_times(run.folder)) for run in own]
        shares = [found[MEASURING] / _volumes(run) for run, found in times if MEASURING in found]
        self._beside = statistics.fmean(shares) if shares else USUAL
        for run, found in times:
            paced = found.get(SCORING, 0.0) / _volumes(
                run
            )  # reading among it; little where maps were kept
            method = run.run.method
            if method in self._volume:
                self._volume[method] = max(self._volume[method], paced)
        self._speeds = {
            speed.method: speed
            for speed in speeds
            if speed.preset == preset and speed.method not in self._volume
        }
        self._begun = time.monotonic()

    def begin(self) -> None:
        """Say that the first run of the list begins now."""
        self._begun = time.monotonic()

    def finish(self, seconds: float, well: bool) -> None:
        """Take the first run off the list; ``well``: it was made and did not fail, so that its time tells of others."""
        run = self.runs.pop(0)
        key = run.method, run.seed
        if well:
            self._took[run.method, run.dataset, key not in self._trained] = seconds
        self._trained.add(key)

    def seconds(self) -> float | None:
        """Return how long the runs of which something is known will take; None where nothing is known of any."""
        return _known(self._each())

    def in_words(self) -> str:
        """Return how many runs are left, and how long they will take."""
        number = f"{counted(len(self.runs), 'run')} left"
        each = self._each()
        seconds = _known(each)
        return number if seconds is None or seconds < SHORT else f"{number}, {_some(seconds, each)}"

    def outlook(self, stage: float) -> str:
        """Return how long the whole command still takes, beside a stage's own time left; "" where nothing is known.

        Parameters
        ----------
        stage : float
            Seconds that the running stage still needs, by its own pace.
        """
        each = self._each()
        if _known(each) is None:
            return ""
        here = max(
            (each[0].seconds if each[0] else 0.0) - (time.monotonic() - self._begun), stage, 0.0
        )
        whole = here + (_known(each[1:]) or 0.0)
        return f"all of it: {_some(whole, each)} left" if whole >= SHORT else ""

    def _each(self) -> list[_Expected | None]:
        """Return what each run to come will take; None where nothing is known of its method.

        One method's time says nothing of another's: a training of minutes would be expected of thresholding.
        """
        trained = set(self._trained)
        found: list[_Expected | None] = []
        for run in self.runs:
            key = run.method, run.seed
            found.append(_Expected(0.0) if run.found else self._one(run, key not in trained))
            trained.add(key)
        return found

    def has_learnt(self, run: Planned) -> bool:
        """Whether a record tells of an equal method and seed, whose training is found again."""
        return (run.method, run.seed) in self._trained

    def expected(self, run: Planned, trains: bool) -> float | None:
        """Return the seconds that a run takes, with its training or without; None where they are not known, or not all."""
        found = self._one(run, trains)
        return found.seconds if found is not None and found.whole else None

    def _one(self, run: Planned, trains: bool) -> _Expected | None:
        for training in (trains, not trains):
            here = self._took.get((run.method, run.dataset, training))
            if here is not None:
                return _Expected(here)
        volumes = self._volumes.get(run.dataset)
        if volumes is None and self._volumes:
            volumes = max(self._volumes.values())
        speed = self._speeds.get(run.method)
        if speed is not None:
            return self._by_speed(speed, trains, volumes)
        scoring = self._volume.get(run.method)
        if scoring is None:
            return None
        training_seconds = self._training.get(run.method, 0.0) if trains else 0.0
        if not self._scores:
            return _Expected(training_seconds)
        return _Expected(training_seconds + (scoring + self._beside) * (volumes or 0))

    def _by_speed(self, speed: KeptSpeed, trains: bool, volumes: int | None) -> _Expected | None:
        """Return what a run takes by what was measured without data."""
        parts: list[float | None] = [speed.training_seconds if trains else 0.0]
        if self._scores:
            each = speed.volume_seconds
            known = each is not None and volumes is not None
            parts.append((each + self._beside) * volumes if known else None)  # type: ignore[operator]
        told = [part for part in parts if part is not None]
        return _Expected(sum(told), whole=len(told) == len(parts)) if any(told) else None


def records_of(workspace: Workspace) -> list[RunRecord]:
    """Return the runs that a workspace holds."""
    return find_records(workspace.records).records if workspace.records.is_dir() else []


def speeds_of(workspace: Workspace, device: str) -> list[KeptSpeed]:
    """Return what ``speed`` measured on the kind of device that runs will take ("auto", "cpu" or "cuda")."""
    import torch

    cuda = device != "cpu" and torch.cuda.is_available()
    return kept_speeds(workspace.speeds, "cuda" if cuda else "cpu")


def _known(each: Sequence[_Expected | None]) -> float | None:
    """Return the sum of what is known; None where nothing is."""
    known = [value.seconds for value in each if value is not None]
    return sum(known) if known else None


def _some(seconds: float, each: Sequence[_Expected | None]) -> str:
    """Return an estimate in words, two digits, for it is no more exact; of how much, where a run or a part of one is unknown."""
    how = "some" if all(value is not None and value.whole for value in each) else "more than"
    return f"{how} {in_words(float(f'{seconds:.2g}'))}"


def _volumes(run: RunRecord) -> int:
    return max(1, sum(run.protocol.subjects.values()))


def _means(values: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    known: dict[str, list[float]] = {}
    for method, value in values:
        if value is not None:
            known.setdefault(method, []).append(value)
    return {method: statistics.fmean(found) for method, found in known.items()}
