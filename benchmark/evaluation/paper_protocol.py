"""The paper's own protocol over the maps of a run, and the two files in the published form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import EvaluationConfig, MethodEntry
from andi_bench.errors import UserError
from andi_bench.metrics.histograms.scores import NonFiniteScores
from andi_bench.metrics.median import median_filter
from andi_bench.metrics.paper import MEDIAN, WINDOW, PaperResult, paper_protocol
from andi_bench.records.schema import Paper, PaperChain
from benchmark.evaluation.measurement import Loader


@dataclass(frozen=True)
class PaperRun:
    """What the paper's protocol gave for a run.

    Parameters
    ----------
    results : dict of PaperResult
        By chain: ``raw``, and the median-filtered one.
    window : (float, float)
        Of the sweep.
    min_max : bool
        Whether all maps were scaled together.
    """

    results: dict[str, PaperResult]
    window: tuple[float, float]
    min_max: bool

    def record(self) -> Paper:
        """Return what stands in the run record."""
        chains = {
            name: PaperChain(
                threshold=result.best[0],
                dice=result.best[1],
                edge=result.at_edge,
                yen_dice=result.yen_dice,
                auprc=result.auprc,
            )
            for name, result in self.results.items()
        }
        return Paper(window=self.window, min_max=self.min_max, chains=chains)

    def files(self, method: str) -> dict[str, str]:
        """Return the files in the published form: ``<method>.csv``, and ``<method>_mf.csv`` for filtered maps."""
        return {
            f"{method}.csv" if name == "raw" else f"{method}_mf.csv": result.csv()
            for name, result in self.results.items()
        }


def paper_run(
    load: Loader,
    subjects: Sequence[str],
    config: EvaluationConfig,
    method: MethodEntry | None,
) -> PaperRun:
    """Evaluate the maps of the test subjects by the paper's protocol; every voxel of the working grid counts.

    Parameters
    ----------
    load : callable
        Returns a scored subject by its name.
    subjects : sequence of str
        Test subjects.
    config : EvaluationConfig
        Edge of the median filter, voxels, where it is given so (else the published 5); window and scaling, where they are
        not the published ones.
    method : MethodEntry or None
        Where the published window stands.

    Raises
    ------
    UserError
        For non-finite scores.
    """
    window = config.paper_window or (method.windows.get("published") if method else None) or WINDOW
    min_max = config.paper_min_max
    if min_max is None:
        min_max = method.published_min_max if method else True
    size = config.median if isinstance(config.median, int) else MEDIAN
    sizes = {"raw": 1} if size == 1 else {"raw": 1, f"median{size}": size}
    results = {
        name: paper_protocol(_Maps(load, subjects, size), window, min_max)
        for name, size in sizes.items()
    }
    return PaperRun(results, window, min_max)


@dataclass(frozen=True)
class _Maps:
    """Maps and lesion masks, read again in every pass: one subject in memory at a time.

    What is to be ignored is as the grid outside the brain: score 0, no lesion.
    """

    load: Loader
    subjects: Sequence[str]
    median: int

    def __iter__(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        for name in self.subjects:
            scored = self.load(name)
            if scored.lesion is None:
                raise ValueError(f"subject {name} has no lesion mask: it cannot be evaluated")
            try:
                scores, lesion = median_filter(scored.map, self.median), scored.lesion
                if scored.ignore is not None:
                    scores = np.where(scored.ignore, np.float32(0), scores)
                    lesion = lesion & ~scored.ignore
                yield scores, lesion
            except NonFiniteScores as error:
                raise UserError(f"subject {name}: {error}") from error
