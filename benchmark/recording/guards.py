"""The protocol's guards: what a hard reviewer would ask, answered by machine at every run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from andi_bench.errors import UserError


@dataclass(frozen=True)
class Guard:
    """One question and its answer.

    Parameters
    ----------
    name : str
        What is guarded.
    passed : bool or None
        None where it cannot be known (weights from elsewhere).
    detail : str
        The answer in words.
    """

    name: str
    passed: bool | None
    detail: str

    def record(self) -> dict[str, Any]:
        """Return the guard as it stands in the run record."""
        return asdict(self)


def no_overlap(
    what: str, first: Mapping[str, str], second: Mapping[str, str], names: tuple[str, str]
) -> Guard:
    """Check that two groups of subjects share neither a subject nor a scan.

    Parameters
    ----------
    what : str
        Name of the guard.
    first, second : mapping of subject to content hash
        The groups.
    names : (str, str)
        What the groups are called.

    Raises
    ------
    UserError
        Names the first subject, or pair of subjects, that stands in both.
    """
    shared = sorted(set(first) & set(second))
    if shared:
        raise UserError(
            f"{what}: subject {shared[0]} is in {names[0]} and in {names[1]} "
            f"({len(shared)} in both, 0 wanted)"
        )
    by_content = {content: subject for subject, content in first.items()}
    for subject, content in sorted(second.items()):
        if content in by_content:
            raise UserError(
                f"{what}: {by_content[content]} ({names[0]}) and {subject} ({names[1]}) "
                "are the same scan under two names"
            )
    return Guard(
        what, True, f"{len(first)} in {names[0]}, {len(second)} in {names[1]}, none in both"
    )


def unseen_in_training(
    training: Iterable[str] | None, evaluated: Iterable[str], same_dataset: bool
) -> Guard:
    """Check that no evaluated subject gave a training slice.

    Parameters
    ----------
    training : iterable of str or None
        Subjects of the slice store; None where the training is not known.
    same_dataset : bool
        Whether the names come from one data set: names of different ones may coincide by chance, and there
        content decides (see :func:`no_overlap`).

    Raises
    ------
    UserError
        Names the first subject found in both.
    """
    name = "no evaluated subject among the training slices"
    if training is None:
        return Guard(name, None, "weights or maps come from elsewhere: not known")
    seen = set(training)
    both = sorted(seen & set(evaluated)) if same_dataset else []
    if both:
        raise UserError(f"{name}: subject {both[0]} is ({len(both)} in all)")
    return Guard(name, True, f"{len(seen)} training subjects")
