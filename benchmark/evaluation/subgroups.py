"""Sub-groups of the test subjects: by a column of the split's CSV, and by how much lesion they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from andi_bench.metrics.catalogue import per_subject
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.points import RANKING_POINT, UPPER_BOUND
from andi_bench.records.schema import (
    LESION_ML,
    NOT_KNOWN,
    SMALLEST_GROUP,
    ChainSummary,
    Group,
    Pooled,
    SubjectSummary,
)
from benchmark.evaluation.aggregates import pooled_figures, subject_figures

if TYPE_CHECKING:
    import pandas as pd

LESION_SIZE = "lesion-size"
"""Name of the grouping by quartiles of the lesion volume."""

_MOST_GROUPS = 12
_NUMBERS_FROM = 5  # distinct numbers from which a column is cut into quartiles


def partition(values: Mapping[str, str]) -> dict[str, list[str]] | None:
    """Group subjects by one column.

    A column of numbers with five or more different ones is cut at its quartiles; any other is taken word by word.

    Parameters
    ----------
    values : mapping of subject to str
        The column; "" where a cell is empty, which makes a group :data:`NOT_KNOWN`.

    Returns
    -------
    dict of lists of subjects, or None
        Groups in rising order, none empty. None for a column that tells nothing: one value for all, or more than
        12 different words.
    """
    known = {subject: cell for subject, cell in values.items() if cell.strip()}
    numbers = _numbers(known)
    if numbers is not None and len(set(numbers.values())) >= _NUMBERS_FROM:
        groups = quartiles(numbers)
    else:
        words = sorted(set(known.values()), key=lambda w: (numbers is None, _order(w, numbers)))
        if len(words) > _MOST_GROUPS:
            return None
        groups = {w: [s for s, cell in known.items() if cell == w] for w in words}
    missing = [subject for subject in values if subject not in known]
    if missing:
        groups[NOT_KNOWN] = [*groups.get(NOT_KNOWN, []), *missing]
    return groups if len(groups) > 1 else None


def quartiles(values: Mapping[str, float], unit: str = "") -> dict[str, list[str]]:
    """Cut subjects at the quartiles of a number; a subject on a quartile belongs to the lower group.

    Parameters
    ----------
    values : mapping of subject to float
        At least one.
    unit : str
        Of the numbers, for the groups' names, such as `` ml``.

    Returns
    -------
    dict of lists of subjects
        ``Q1 (2.1 to 5.3 ml)`` and so on; equal values may leave fewer than four.
    """
    cuts = np.quantile(list(values.values()), [0.25, 0.5, 0.75])
    members: dict[int, list[str]] = {}
    for subject, value in values.items():
        members.setdefault(int(np.searchsorted(cuts, value, side="left")), []).append(subject)
    out = {}
    for index in sorted(members):
        inside = [values[subject] for subject in members[index]]
        name = f"Q{index + 1} ({min(inside):.3g} to {max(inside):.3g}{unit})"
        out[name] = members[index]
    return out


def lesion_sizes(volumes: Mapping[str, float]) -> dict[str, list[str]] | None:
    """Group subjects by quartiles of their lesion volume, ml; those without a lesion apart."""
    with_lesion = {subject: volume for subject, volume in volumes.items() if volume > 0}
    lesion_free = [subject for subject in volumes if subject not in with_lesion]
    groups = {"no lesion": lesion_free} if lesion_free else {}
    if with_lesion:
        groups |= quartiles(with_lesion, " ml")
    return groups if len(groups) > 1 else None


def grouped(
    table: pd.DataFrame,
    attributes: Mapping[str, Mapping[str, str]],
    histograms: Mapping[str, Sequence[ScoreHistogram]],
    bootstraps: int,
) -> tuple[dict[str, tuple[Group, ...]], list[str]]:
    """Summarise every sub-group.

    Parameters
    ----------
    table : DataFrame
        As ``subjects.csv``.
    attributes : mapping
        Column -> subject -> cell, for all test subjects in the order of the histograms.
    histograms : mapping of chain to sequence of ScoreHistogram
        One a subject.
    bootstraps : int
        Resamples of the subjects.

    Returns
    -------
    groups, notes
        By column, and a note for each column that makes no groups.
    """
    once = table.drop_duplicates("subject")
    volumes = dict(zip(once["subject"], once[LESION_ML], strict=True))
    subjects = list(next(iter(attributes.values()))) if attributes else list(volumes)
    found: dict[str, dict[str, list[str]] | None] = {
        name: partition(cells) for name, cells in attributes.items()
    }
    notes = [
        f"no sub-groups by '{name}': more than {_MOST_GROUPS} different words"
        for name, groups in found.items()
        if groups is None and len(set(attributes[name].values())) > _MOST_GROUPS
    ]
    found[LESION_SIZE] = lesion_sizes({subject: volumes[subject] for subject in subjects})
    place = {subject: index for index, subject in enumerate(subjects)}
    out = {}
    for name, groups in found.items():
        if groups is None:
            continue
        out[name] = tuple(
            Group(
                name=group,
                subjects=tuple(members),
                results=_results(table, histograms, members, place, bootstraps),
            )
            for group, members in groups.items()
        )
    return out, notes


def _results(
    table: pd.DataFrame,
    histograms: Mapping[str, Sequence[ScoreHistogram]],
    members: Sequence[str],
    place: Mapping[str, int],
    bootstraps: int,
) -> dict[str, ChainSummary]:
    if len(members) < SMALLEST_GROUP:
        return {}
    lines = table[table["subject"].isin(members)]
    frozen = (table["point"] == RANKING_POINT.name).any()
    points = (RANKING_POINT.name if frozen else UPPER_BOUND.name,)
    kept = {metric.key for metric in per_subject() if "groups" in metric.shown}
    ill = lines.loc[lines[LESION_ML] > 0, "subject"].nunique()
    out = {}
    for chain, all_of_them in histograms.items():
        figures = subject_figures(lines[lines["chain"] == chain], bootstraps, points)
        pooled = Pooled()
        if ill >= SMALLEST_GROUP:
            pooled = pooled_figures([all_of_them[place[s]] for s in members], bootstraps)
        out[chain] = ChainSummary(
            pooled=pooled,
            subjects={
                key: _enough(v) for key, v in figures.items() if key.partition("@")[0] in kept
            },
        )
    return out


def _enough(found: SubjectSummary) -> SubjectSummary:
    """Return a figure without its value where too few subjects are behind it; how many stays."""
    if found.n >= SMALLEST_GROUP:
        return found
    return SubjectSummary(n=found.n, undefined=found.undefined)


def _numbers(cells: Mapping[str, str]) -> dict[str, float] | None:
    try:
        numbers = {subject: float(cell.replace(",", ".")) for subject, cell in cells.items()}
    except ValueError:
        return None
    return numbers if numbers and all(np.isfinite(list(numbers.values()))) else None


def _order(word: str, numbers: Mapping[str, float] | None) -> tuple[float, str]:
    return (float(word.replace(",", ".")) if numbers is not None else 0.0, word)
