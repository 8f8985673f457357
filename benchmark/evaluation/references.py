"""What detections give that look at no scan, held against the subjects' masks: the floor that a method must leave behind.

*nothing* detects nothing, *everything* all of the brain; as maps both have one score for all voxels, so that their
average precision is the share of lesion voxels. Computed exactly, at every evaluation, once for all post-processings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from andi_bench.metrics.froc import Froc, froc_of
from andi_bench.metrics.points import RANKING_POINT
from andi_bench.records.schema import ChainSummary, Pooled
from benchmark.evaluation.aggregates import scan_figures, subject_figures
from benchmark.evaluation.case_values import Row
from benchmark.evaluation.froc_pass import recorded

if TYPE_CHECKING:
    import pandas as pd


def reference_summaries(
    measured: Sequence[Mapping[str, Row]], prevalence: float | None
) -> dict[str, ChainSummary]:
    """Summarise the references over the subjects, by name; nothing is estimated, so there are no limits.

    Parameters
    ----------
    measured : sequence of mapping
        Of every subject; see :func:`benchmark.evaluation.case_values.reference_rows`.
    prevalence : float or None
        Share of lesion voxels of all subjects together; None for no voxel.
    """
    import pandas as pd

    area = 0.5 if prevalence and prevalence < 1 else None
    pooled = Pooled(ap=prevalence or None, auroc=area, prevalence=prevalence)
    out = {}
    for name in measured[0] if measured else ():
        table = pd.DataFrame([rows[name] for rows in measured])
        froc = _froc(table)
        out[name] = ChainSummary(
            pooled=pooled,
            subjects=subject_figures(table, 0, (RANKING_POINT.name,)),
            scan=scan_figures(table),
            froc=recorded(froc) if froc is not None else None,
        )
    return out


def _froc(table: pd.DataFrame) -> Froc | None:
    matched = table["lesions_matched"].to_numpy(dtype=np.int64)
    false = table["detections"].to_numpy(dtype=np.int64) - matched
    counts = np.stack([matched, false], axis=1).astype(np.uint32)[:, None]
    return froc_of(list(counts), table["lesions"].to_list(), 0)
