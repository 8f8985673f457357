"""The trials of a search, kept by Optuna in a file: whoever comes back to it goes on where it stopped.

What is proposed next depends on the seed, the number of the trial and the trials before it alone, so a search that was
stopped and taken up again makes the same proposals as one that was not.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from andi_bench.errors import UserError
from andi_bench.randomness import derive_seed
from benchmark.tuning.space import Settings, Space
from benchmark.tuning.trial import Part, mean

if TYPE_CHECKING:
    import optuna

Sampler = Literal["tpe", "random", "grid"]

_RECORD = "trial"
_FIRST_AT_RANDOM = 8
"""Trials before TPE looks at what came out; fewer tell it nothing."""
_LARGEST_GRID = 100_000


class Attempt(BaseModel):
    """One trial that is over.

    Parameters
    ----------
    number : int
        From 0, the configuration as it stands.
    settings : dict
        Values by key.
    state : {"complete", "failed"}
        How it ended.
    value : float or None
        The metric, mean over seeds and folds.
    parts : tuple of Part
        By seed and fold.
    seconds : float
        How long it took.
    reason : str
        Why it failed.
    same_as : int or None
        The trial that had these settings before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    settings: dict[str, Any]
    state: Literal["complete", "failed"]
    value: float | None = None
    parts: tuple[Part, ...] = ()
    seconds: float = 0.0
    reason: str = ""
    same_as: int | None = None

    @property
    def key(self) -> str:
        """The settings as text: equal settings have equal ones."""
        return key_of(self.settings)


def key_of(settings: Settings) -> str:
    """Return settings as text."""
    return json.dumps(settings, sort_keys=True)


def require_optuna() -> None:
    """Find out whether Optuna is installed.

    Raises
    ------
    UserError
        When it is not; says how to install it.
    """
    try:
        import optuna
    except ImportError as error:
        raise UserError(
            "tune needs Optuna, which is not installed: pip install 'andi-bench[tune]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _opened(path: Path, maximise: bool) -> optuna.Study:
    """Open a journal; what a kill left of its last line is cut off, and so is the lock of who was killed."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    try:
        path.with_name(path.name + ".lock").unlink(missing_ok=True)
        if path.exists() and not (text := path.read_bytes()).endswith(b"\n"):
            os.truncate(path, text.rfind(b"\n") + 1)
        backend = JournalFileBackend(str(path), JournalFileOpenLock(str(path)))
        return optuna.create_study(
            storage=optuna.storages.JournalStorage(backend),
            study_name="search",
            direction="maximize" if maximise else "minimize",
            load_if_exists=True,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: cannot be used ({error}); delete it to search anew: what was trained is found again"
        ) from error


class Study:
    """The trials of one search.

    Parameters
    ----------
    path : Path
        Journal of Optuna; made if absent. One process at a time: the caller holds its folder.
    space : Space
        What may change.
    sampler : {"tpe", "random", "grid"}
        How settings are proposed.
    seed : int
        Of the proposals.
    maximise : bool
        Whether more is better.

    Raises
    ------
    UserError
        When the file is damaged, and for a grid of a space that has ranges without steps, or is too large.
    """

    def __init__(
        self, path: Path, space: Space, *, sampler: Sampler, seed: int, maximise: bool
    ) -> None:
        self._space, self._sampler, self._seed = space, sampler, seed
        self._size = space.size()
        if sampler == "grid" and (self._size is None or self._size > _LARGEST_GRID):
            raise UserError(
                f"--sampler grid: lists, or ranges with step, of at most {_LARGEST_GRID} settings in all wanted"
            )
        self._study: optuna.Study = _opened(path, maximise)

    def attempts(self) -> list[Attempt]:
        """Return the trials that are over, in order; those that were proposed twice too."""
        records = [trial.user_attrs.get(_RECORD) for trial in self._study.trials]
        return [Attempt.model_validate_json(record) for record in records if record is not None]

    def exhausted(self) -> bool:
        """Whether all settings of the space have been tried."""
        if self._size is None:
            return False
        tried = {one.key for one in self.attempts() if self._inside(one.settings)}
        return len(tried) >= self._size

    def begin(self, attempt: Attempt) -> None:
        """Take in trial 0, whose settings need not be of the space."""
        from optuna.trial import TrialState, create_trial

        raw = {key: p.raw(attempt.settings[key]) for key, p in self._space.parameters.items()}
        inside = {key: value for key, value in raw.items() if value is not None}
        self._study.add_trial(
            create_trial(
                state=TrialState.COMPLETE if attempt.state == "complete" else TrialState.FAIL,
                value=attempt.value,
                params=inside,
                distributions={k: self._space.parameters[k].distribution() for k in inside},
                user_attrs={_RECORD: attempt.model_dump_json()},
            )
        )

    def propose(self) -> tuple[int, Settings]:
        """Return number and settings of the next trial: of one that was stopped, where there was one."""
        from optuna.trial import TrialState

        for stopped in self._study.get_trials(states=(TrialState.RUNNING,)):
            self._study.tell(stopped.number, state=TrialState.FAIL)
        parameters, number = self._space.parameters, len(self.attempts())
        self._study.sampler = self._fresh_sampler(number)
        if self._sampler == "grid" and not self._study.get_trials(states=(TrialState.WAITING,)):
            self._study.enqueue_trial(self._next_of_grid())
        self._asked = self._study.ask({key: p.distribution() for key, p in parameters.items()})
        drawn = self._asked.params
        return number, {key: p.drawn(drawn[key]) for key, p in parameters.items()}

    def finish(self, attempt: Attempt) -> None:
        """Take in what the trial that was proposed last came to."""
        from optuna.trial import TrialState

        self._asked.set_user_attr(_RECORD, attempt.model_dump_json())
        failed = TrialState.FAIL if attempt.state == "failed" else None
        self._study.tell(self._asked, attempt.value, state=failed)

    def _fresh_sampler(self, number: int) -> Any:
        from optuna.samplers import RandomSampler, TPESampler

        seed = derive_seed(self._seed, f"trial {number}") % 2**32
        if self._sampler == "tpe":
            return TPESampler(seed=seed, n_startup_trials=_FIRST_AT_RANDOM)
        return RandomSampler(seed=seed)

    def _next_of_grid(self) -> dict[str, Any]:
        tried = {one.key for one in self.attempts()}
        settings = list(self._space.grid())
        random.Random(self._seed).shuffle(settings)
        untried = next(one for one in settings if key_of(one) not in tried)
        return {key: p.raw(untried[key]) for key, p in self._space.parameters.items()}

    def _inside(self, settings: Settings) -> bool:
        parameters = self._space.parameters
        return set(settings) == set(parameters) and all(
            p.raw(settings[key]) is not None for key, p in parameters.items()
        )


def completed(number: int, settings: Settings, parts: list[Part], seconds: float) -> Attempt:
    """Return a trial that came to a figure."""
    return Attempt(
        number=number,
        settings=settings,
        state="complete",
        value=mean(parts),
        parts=tuple(parts),
        seconds=round(seconds, 3),
    )
