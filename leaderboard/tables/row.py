"""One row of a table: a method with one pipeline, over all its seeds; or a reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from andi_bench.metrics.points import RANKING, UPPER_BOUND
from andi_bench.records.schema import RunRecord
from leaderboard.tables.pipelines import Choice
from leaderboard.tables.seeds import Estimate


@dataclass(frozen=True)
class Row:
    """One method with one pipeline of post-processing, over all its seeds.

    Parameters
    ----------
    rank : int or None
        1 is best; equal values share the better rank; None without a rank.
    label : str
        The method's name, with what sets it apart where two rows would be called the same.
    figures : mapping of str to Estimate
        By the keys of :func:`andi_bench.metrics.compared.compared`.
    costs : mapping of str to float, str or None
        Seconds and calls are means over the seeds, memory is the maximum.
    reason : str or None
        Why the row has no rank.
    runs : tuple of RunRecord
        In the order of their seeds; () of a reference that was computed from the masks.
    values : mapping of str to mapping of str to float
        By per-subject metric: each subject's value, averaged over the seeds; without undefined ones. Also
        ``lesion_ml``.
    by_seed : tuple of mapping of str to float
        Values of the metric that is tested, seed by seed; a single entry for a method without chance.
    chance : bool
        Whether another seed could have given other maps; False where all seeds agree in every subject's value, or where
        a method learns nothing and applies no network.
    choice : Choice
        Which of the method's pipelines validation chose.
    group : str
        Letters: rows of a table that share one are not told apart; "" where nothing was tested.
    reference : bool
        Whether it is no entrant but what entrants are held against; it never ranks.
    """

    rank: int | None
    method: str
    label: str
    chain: str
    figures: dict[str, Estimate]
    costs: dict[str, Any]
    reason: str | None
    runs: tuple[RunRecord, ...]
    choice: Choice
    values: dict[str, Mapping[str, float]] = field(default_factory=dict, repr=False)
    by_seed: tuple[dict[str, float], ...] = field(default=(), repr=False)
    chance: bool = True
    group: str = ""
    reference: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What names the row: label and pipeline."""
        return self.label, self.chain

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs."""
        return tuple(run.run.seed for run in self.runs)

    @property
    def upper_bound(self) -> Estimate:
        """Mean Dice at the best threshold of the test split itself."""
        return self.figures[f"dice@{UPPER_BOUND.name}"]

    @property
    def oracle_gap(self) -> float | None:
        """What a threshold chosen on the test split would have gained in mean Dice."""
        best, frozen = self.upper_bound.value, self.figures[RANKING].value
        return best - frozen if best is not None and frozen is not None else None
