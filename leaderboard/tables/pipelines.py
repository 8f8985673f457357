"""Pipelines of post-processing: which one the validation split chose for a method, and which rows a table shows.

Names of pipelines are the records' own; the first of a protocol is raw, the last one filtered.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from andi_bench.records.schema import Protocol, RunRecord
from andi_bench.records.validation import validation_dice

View = Literal["validated", "raw", "filtered"]
"""What a table shows of every method: the pipeline that validation chose, raw maps, or filtered ones."""

VALIDATED: View = "validated"
RAW: View = "raw"
FILTERED: View = "filtered"
VIEWS: tuple[View, ...] = (VALIDATED, RAW, FILTERED)
ALL = "all"
"""Every view, one table after another."""

_TIE = 1e-12


@dataclass(frozen=True)
class Choice:
    """Which pipeline stands for a method in the table of one row a method.

    Parameters
    ----------
    chain : str
        The pipeline.
    why : {"dice", "tie", "unknown", "only"}
        The higher validation Dice; raw, for both are equal; filtered, for some seed's validation Dice is not known; there
        is but one.
    values : dict of str to float or None
        By pipeline: Dice at the threshold that ranks, mean over the validation subjects with a lesion and over the
        seeds, in [0, 1]; None as soon as one seed lacks it.
    """

    chain: str
    why: Literal["dice", "tie", "unknown", "only"]
    values: dict[str, float | None]


def chosen_pipeline(runs: Sequence[RunRecord], chains: Sequence[str]) -> Choice:
    """Choose a method's pipeline by what its seeds reach on the validation split; no test subject has a say.

    Parameters
    ----------
    runs : sequence of RunRecord
        The seeds.
    chains : sequence of str
        Pipelines of the protocol, raw first.

    Raises
    ------
    UserError
        When a record's histograms cannot be read.
    """
    values: dict[str, float | None] = {}
    for chain in chains:
        found = [validation_dice(run, chain) for run in runs]
        known = [value for value in found if value is not None]
        values[chain] = statistics.fmean(known) if len(known) == len(found) else None
    if len(chains) == 1:
        return Choice(chains[0], "only", values)
    known = [value for value in values.values() if value is not None]
    if len(known) < len(chains):
        return Choice(chains[-1], "unknown", values)
    best = [chain for chain, value in zip(chains, known, strict=True) if value > max(known) - _TIE]
    return Choice(best[0], "tie" if len(best) > 1 else "dice", values)


def views_of(protocol: Protocol) -> tuple[View, ...]:
    """Return the views that there are: filtered maps are not a choice where all are raw."""
    return VIEWS if len(protocol.chains) > 1 else (VALIDATED,)


def chain_of(view: View, choice: Choice, protocol: Protocol) -> str:
    """Return the pipeline of one method that a view shows."""
    if view == VALIDATED:
        return choice.chain
    return protocol.chains[0 if view == RAW else -1]


def kind_of(chain: str, protocol: Protocol) -> View:
    """Return what a pipeline is: :data:`RAW` or :data:`FILTERED`."""
    return RAW if chain == protocol.chains[0] else FILTERED


def view_in_words(view: View, protocol: Protocol) -> str:
    """Return which rows a view shows: ``raw maps``, say."""
    if len(protocol.chains) == 1:
        return f"{protocol.chains[0]} maps"
    if view == VALIDATED:
        return "each with the pipeline that validation chose"
    return f"{protocol.chains[0 if view == RAW else -1]} maps"
