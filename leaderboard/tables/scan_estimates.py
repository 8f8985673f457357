"""Figures of whole scans, and of all lesions over all thresholds, over the seeds of one method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from andi_bench.metrics.catalogue import CATALOGUE
from andi_bench.metrics.froc import RATES
from andi_bench.metrics.mean_intervals import FEWEST, logit_limits
from andi_bench.metrics.scan_level import scan_auroc
from andi_bench.records.schema import LESION_ML, FrocAt
from andi_bench.records.store import RunRecord
from leaderboard.tables.seeds import Estimate, over_seeds
from leaderboard.tables.subject_values import SubjectTable

_SCORE = CATALOGUE["scan_score"].field


def scan_estimates(
    runs: Sequence[RunRecord], tables: Sequence[SubjectTable], chain: str
) -> dict[str, Estimate]:
    """Return the AUROC of scans and the points of the FROC curve, by key; without value where records do not tell.

    Parameters
    ----------
    runs : sequence of RunRecord
        The seeds.
    tables : sequence of SubjectTable
        Their tables of subjects.
    chain : str
        Post-processing.
    """
    found = {f"froc_{rate:g}": _froc_estimate(runs, chain, rate) for rate in RATES}
    return {"scan_auroc": _scan_estimate(tables, chain), **found}


def _scan_estimate(tables: Sequence[SubjectTable], chain: str) -> Estimate:
    """Return the AUROC, mean over the seeds, with DeLong's interval over subjects and seeds."""
    columns = [table.column(chain, _SCORE) for table in tables]
    names = sorted(set.intersection(*map(set, columns))) if columns else []
    volumes = tables[0].column(chain, LESION_ML) if names else {}
    ill, free = (
        np.array([[c[name] for c in columns] for name in names if (volumes[name] > 0) is kind])
        for kind in (True, False)
    )
    found = scan_auroc(ill, free) if len(ill) and len(free) else None
    if found is None:
        return Estimate()
    single = [scan_auroc(ill[:, [k]], free[:, [k]]) for k in range(len(columns))]
    spread = over_seeds([one.value if one else None for one in single])
    return replace(spread, low=found.low, high=found.high)


def _froc_estimate(runs: Sequence[RunRecord], chain: str, rate: float) -> Estimate:
    """Return the sensitivity at a rate, mean over the seeds, with its interval.

    With several seeds the variance is the mean of theirs over subjects, and that of the seeds' mean: a little too much, as
    what a training's luck with single subjects adds is in both.
    """
    points = [_point(run, chain, rate) for run in runs]
    known = [point for point in points if point is not None]
    if not known or len(known) < len(runs):
        return Estimate()
    found = over_seeds([point.sensitivity for point in known])
    if len(known) == 1:
        return replace(found, low=known[0].low, high=known[0].high)
    own = float(np.mean([point.error**2 for point in known]))
    between = (found.seed_sd or 0.0) ** 2 / len(known)
    ill = min(_with_lesion(run, chain) for run in runs)
    if ill < FEWEST or found.value is None or not 0 < found.value < 1 or own <= 0:
        return found
    below = own**2 / (ill - 1) + between**2 / (len(known) - 1)
    limits = logit_limits(found.value, own + between, (own + between) ** 2 / below)
    return replace(found, low=limits[0], high=limits[1])


def _point(run: RunRecord, chain: str, rate: float) -> FrocAt | None:
    results = run.summary.get(chain)
    if results is None or results.froc is None:
        return None
    return next((point for point in results.froc.at if point.rate == rate), None)


def _with_lesion(run: RunRecord, chain: str) -> int:
    froc = run.summary[chain].froc
    return froc.with_lesion if froc is not None else 0
