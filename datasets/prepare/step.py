"""What the steps of a preparation have in common: subjects in, subjects out, progress, failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from andi_bench.errors import UserError
from andi_bench.executor import Failure, Subject, each
from datasets.adapters.base import Progress
from datasets.prepare.sidecar import Preparation, read_preparation


@dataclass(frozen=True)
class FoundSubject:
    """A subject's files before they are prepared.

    Parameters
    ----------
    id : str
        Identifier in the prepared data set.
    files : dict of str to Path
        By kind: flair, t1, t1ce, t2, pd, mask, fg_mask; some may be missing.
    """

    id: str
    files: dict[str, Path]


@dataclass(frozen=True)
class StepOutcome:
    """What a step did.

    Parameters
    ----------
    made, kept : tuple of str
        Subjects that were worked on, and those that were found finished.
    failures : tuple of Failure
        The others.
    """

    made: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()


def made_unless_current(
    target: Path, current: Callable[[Preparation], bool], make: Callable[[], object]
) -> bool:
    """Make a subject's folder, unless it is there as it would be made.

    Parameters
    ----------
    target : Path
        The folder.
    current : callable
        Whether what is there, by its sidecar, needs no work.
    make : callable
        Makes the folder, or replaces it.

    Returns
    -------
    bool
        Whether it was made.

    Raises
    ------
    UserError
        When what is there is not from a preparation, which is left alone, or its sidecar is damaged.
    """
    if target.exists():
        found = read_preparation(target)
        if found is None:
            raise UserError(f"{target} is not from a preparation: left alone")
        if current(found):
            return False
    make()
    return True


def run_step(
    title: str,
    task: Callable[[Subject], bool],
    items: Sequence[Subject],
    workers: int | None,
    progress: Progress | None,
) -> StepOutcome:
    """Work on all subjects.

    Parameters
    ----------
    title : str
        What is done, for the progress.
    task : callable
        Returns True where it made something, False where all was there.
    items, workers
        As for :func:`andi_bench.executor.each`.
    progress : callable or None
        Called as it comes along.
    """
    made: list[str] = []
    kept: list[str] = []
    failures: list[Failure] = []
    for done, (item, result) in enumerate(each(task, items, workers), start=1):
        if isinstance(result, Failure):
            failures.append(result)
        else:
            (made if result else kept).append(item.id)
        if progress is not None:
            progress(title, done, len(items))
    failures.sort(key=lambda failure: failure.subject)
    return StepOutcome(tuple(sorted(made)), tuple(sorted(kept)), tuple(failures))
