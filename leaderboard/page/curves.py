"""Precision-recall curves from the score histograms of a record, in as few points as a figure can show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmark.errors import UserError
from benchmark.metrics.histogram import ARRAYS, ScoreHistogram
from benchmark.metrics.pooled import precision_recall_curve
from benchmark.records import HISTOGRAMS, RunRecord

POINTS = 150
_TESTED = {"working": "test/", "native": "native/test/"}


def recall_curve(run: RunRecord, chain: str) -> dict[str, list[float]] | None:
    """Return recall and precision pooled over the brain voxels of all subjects; None without histograms or lesions.

    Parameters
    ----------
    run : RunRecord
        One seed.
    chain : str
        Post-processing.

    Raises
    ------
    UserError
        When the record's histograms cannot be read.
    """
    if run.folder is None:
        return None
    path = run.folder / HISTOGRAMS
    try:
        # one by one: the histograms of a large data set are never all in memory
        merged = ScoreHistogram.merge(_histograms(run, chain))
    except Exception as error:  # zipfile, zlib and numpy each raise their own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: not a file of histograms ({reason})") from error
    curve = precision_recall_curve(merged, points=POINTS) if len(merged.start) else None
    if curve is None:
        return None
    return {
        name: [float(f"{value:.4g}") for value in values]
        for name, values in (("recall", curve.recall), ("precision", curve.precision))
    }


def _histograms(run: RunRecord, chain: str) -> Iterator[ScoreHistogram]:
    start = f"{_TESTED[run.protocol.grid]}{chain}/"
    assert run.folder is not None
    with np.load(run.folder / HISTOGRAMS, allow_pickle=False) as archive:
        owners = dict.fromkeys(
            name.rpartition("/")[0] for name in archive.files if name.startswith(start)
        )
        for owner in owners:
            yield ScoreHistogram.from_arrays({name: archive[f"{owner}/{name}"] for name in ARRAYS})
