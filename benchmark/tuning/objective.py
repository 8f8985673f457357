"""What a search makes as good as can be: a metric of the catalogue, measured on validation subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from andi_bench.errors import UserError
from andi_bench.metrics.catalogue import per_subject
from andi_bench.metrics.compared import metric_at, ranking_metric
from andi_bench.metrics.metric import MetricAt
from benchmark.evaluation.protocol import Evaluation

Pipeline = Literal["raw", "filtered"]


@dataclass(frozen=True)
class Objective:
    """A metric of raw or filtered maps.

    Parameters
    ----------
    metric : MetricAt
        With its operating point, where it has one.
    pipeline : {"raw", "filtered"}
        Which maps; without a median filter (``evaluation.median`` = 1) both are the raw ones.
    """

    metric: MetricAt
    pipeline: Pipeline = "filtered"

    @property
    def title(self) -> str:
        """Such as "Pooled AP, filtered maps"."""
        return f"{self.metric.title}, {self.pipeline} maps"

    @property
    def higher_is_better(self) -> bool:
        """Which way it points."""
        return self.metric.metric.higher_is_better

    def better(self, value: float, than: float) -> bool:
        """Whether a value is better than another."""
        return value > than if self.higher_is_better else value < than

    def measured(self, found: Evaluation) -> tuple[float, dict[str, float | None]]:
        """Return the metric, and what each subject has of it.

        Of a pooled metric, a subject has the metric of the same field over its own voxels, where there is one.

        Raises
        ------
        UserError
            Where it is undefined: no lesion among the subjects, say.
        """
        chain = found.chains[0 if self.pipeline == "raw" else -1].name
        summary, metric = found.summary[chain], self.metric.metric
        if metric.over == "pooled":
            value = getattr(summary.pooled, metric.field, None)
        else:
            known = summary.subjects.get(self.metric.key)
            value = known.mean if known is not None else None
        if value is None:
            raise UserError(f"{self.title}: undefined on these validation subjects")
        return float(value), self._subjects(found, chain)

    def _subjects(self, found: Evaluation, chain: str) -> dict[str, float | None]:
        metric, point = self.metric.metric, self.metric.point
        fields = {known.field for known in per_subject()}
        if metric.field not in fields or metric.field not in found.subjects.columns:
            return {}
        lines = found.subjects[found.subjects["chain"] == chain]
        if point is not None:
            lines = lines[lines["point"] == point.name]
        once = lines.drop_duplicates("subject")
        values = zip(once["subject"], once[metric.field].tolist(), strict=True)
        return {name: None if value is None or value != value else value for name, value in values}


def read_objective(key: str, pipeline: Pipeline) -> Objective:
    """Return the objective that a key names.

    Raises
    ------
    UserError
        For an unknown metric, and one that tells nothing of how good maps are.
    """
    return Objective(metric_at(ranking_metric(key)), pipeline)
