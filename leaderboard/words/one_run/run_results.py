"""What one run came to, for whoever made it: the pipeline that stands for it, its subjects in order, others on the same data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from andi_bench.errors import UserError
from andi_bench.metrics.catalogue import CATALOGUE
from andi_bench.metrics.metric import MetricAt
from andi_bench.metrics.points import POINTS, RANKING, UPPER_BOUND
from andi_bench.names import folder_word
from andi_bench.records.loss_curve import LOSSES, read_losses
from andi_bench.records.schema import LESION_FREE_APART, LESION_ML, RunRecord
from andi_bench.records.store import RECORD, read_record
from leaderboard.tables.comparability import comparable
from leaderboard.tables.pipelines import chosen_pipeline
from leaderboard.tables.seeds import Estimate, subject_estimates
from leaderboard.tables.subject_values import read_subject_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BASELINES = ("voxel-statistics", "thresholding")
"""Methods that take seconds; a run that is behind them has not learnt what it should."""

_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class SubjectLine:
    """What a run reached in one subject; None where undefined.

    Parameters
    ----------
    subject : str
        Its name.
    lesion_ml : float or None
        Volume of its lesions.
    dice, best, ap : float or None
        Dice at the point that ranks and at the test split's best threshold, and average precision.
    false_ml : float or None
        What is falsely detected at the point that ranks, ml.
    """

    subject: str
    lesion_ml: float | None
    dice: float | None
    best: float | None
    ap: float | None
    false_ml: float | None


def chain_of_run(run: RunRecord) -> str:
    """Return the pipeline that validation chose for a run."""
    return chosen_pipeline([run], run.protocol.chains).chain


def dice_means(run: RunRecord) -> dict[tuple[str, str], Estimate]:
    """Return mean Dice by chain and point, with the interval that tables give it; of older records what they say themselves."""
    assert run.folder is not None
    dice = CATALOGUE["dice"]
    out = {}
    for chain, summary in run.summary.items():
        for key, found in summary.subjects.items():
            metric, _, name = key.partition("@")
            if metric == dice.key:
                out[chain, name] = Estimate(found.mean, found.low, found.high)
    if run.protocol.version < LESION_FREE_APART:
        return out
    tables = [read_subject_table(run.folder, run.protocol.grid)]
    known = [MetricAt(dice, point) for point in POINTS.values()]
    for chain in run.summary:
        for key, estimate in subject_estimates([run], tables, chain, known).items():
            if estimate.value is not None:
                out[chain, key.partition("@")[2]] = estimate
    return out


def subject_lines(run: RunRecord, chain: str) -> list[SubjectLine]:
    """Return the subjects, highest Dice first; those without one, such as lesion-free ones, last, least falsely detected first."""
    assert run.folder is not None
    table = read_subject_table(run.folder, run.protocol.grid)
    metric, _, point = RANKING.partition("@")
    volumes = table.column(chain, LESION_ML)
    columns = (
        volumes,
        table.column(chain, metric, point),
        table.column(chain, metric, UPPER_BOUND.name),
        table.column(chain, "ap"),
        table.column(chain, "false_positive_ml", point),
    )
    names = dict.fromkeys(name for column in columns for name in column)
    names |= dict.fromkeys(run.data.test)
    lines = []
    for name in names:
        values = [column.get(name) for column in columns]
        if values[0] == 0:  # an empty lesion mask has no Dice since version 2 of the protocol
            values[1:4] = [None] * 3
        lines.append(SubjectLine(name, *values))
    return sorted(
        lines,
        key=lambda line: (
            line.dice is None,
            -(line.dice or 0.0),
            line.false_ml or 0.0,
            line.subject,
        ),
    )


def baselines_beside(run: RunRecord, records: Path) -> list[RunRecord]:
    """Return the newest run of each of :data:`BASELINES` that may stand in one table with a run.

    Parameters
    ----------
    run : RunRecord
        The run.
    records : Path
        Folder of the records; those that cannot be read are left out.
    """
    found = []
    for method in BASELINES:
        pattern = f"{folder_word(method)}__{folder_word(run.run.dataset)}__*/{RECORD}"
        known = [_readable(path) for path in sorted(records.glob(pattern))]
        same = [one for one in known if one is not None and len(comparable([run, one])) == 1]
        if same and method != run.run.method:
            found.append(max(same, key=lambda one: one.run.created))
    return found


def losses_of(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return steps and losses of a run's training; None where its record has none, or none that can be read."""
    try:
        steps, losses = read_losses(folder / LOSSES)
    except UserError:
        return None
    return (steps, losses) if len(steps) else None


def spark_line(values: Sequence[float], width: int) -> str:
    """Return values as a line of bars, each the median of its part; higher bars are higher values."""
    import numpy as np

    parts = np.array_split(np.asarray(values, float), min(width, len(values)))
    heights = np.array([np.median(part) for part in parts])
    low, span = heights.min(), float(np.ptp(heights)) or 1.0
    return "".join(_BARS[round(float(h - low) / span * (len(_BARS) - 1))] for h in heights)


def _readable(path: Path) -> RunRecord | None:
    try:
        return read_record(path, whole=False)
    except UserError:
        return None
