"""Every operating point, once: its name, what it means, how it is found, and whether it ranks.

To add one, add an entry to :data:`_ENTRIES`: evaluation, run records, tables, notes, exports and page follow
(docs/add-a-metric.md). Nothing heavy is imported before a threshold is looked for, so the command line may read the names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from andi_bench.metrics.histograms.histogram import ScoreHistogram
    from andi_bench.metrics.histograms.scores import Region
    from andi_bench.metrics.thresholds import FoundThreshold, Read

Source = Literal["validation", "volume", "test"]
Search = Callable[[Sequence["ScoreHistogram"], "Region", "Read | None"], "FoundThreshold"]
Detect = Callable[
    ["NDArray[np.float32]", "NDArray[np.bool_]"], "tuple[NDArray[np.bool_], float | None]"
]


@dataclass(frozen=True)
class OperatingPoint:
    """A rule that turns a map into a detection.

    Parameters
    ----------
    name : str
        As it stands in records and tables, after the ``@`` of ``dice@...``.
    definition : str
        What it means, one sentence or two, for a reader of the page.
    how : str
        How it was found, for the run record; ``{n}`` becomes the number of subjects it was found on.
    where : str
        The threshold in words, so that "Mean Dice at ..." goes on with it.
    source : {"validation", "volume", "test"}
        What decides: the validation subjects, before any test subject is looked at; each volume itself; or the test
        subjects themselves, which makes it an upper bound.
    search : callable, optional
        For ``validation`` and ``test``: from score histograms, region and a reader of the scores to a
        :class:`~andi_bench.metrics.thresholds.FoundThreshold`. Not with ``rate``.
    detect : callable, optional
        For ``volume``: from scores float32 (X, Y, Z) and brain bool (X, Y, Z) to the detection, bool (X, Y, Z), and its
        threshold, None where there is none.
    rate : float, optional
        Nominal false-positive rate in (0, 1): the threshold is found by it on the validation subjects, and the rate
        that it has on the test subjects is reported.
    unranked : str
        Why no Dice at this point may rank; "" where it may.
    priority : int
        Where there is little room, columns of high numbers are left out first.

    Raises
    ------
    ValueError
        For an entry that says not how its threshold is found.
    """

    name: str
    definition: str
    how: str
    where: str
    source: Source = "validation"
    search: Search | None = None
    detect: Detect | None = None
    rate: float | None = None
    unranked: str = ""
    priority: int = 8

    def __post_init__(self) -> None:
        wanted = {"volume": self.detect, "test": self.search}.get(
            self.source, self.rate if self.search is None else self.search
        )
        if wanted is None:
            raise ValueError(f"operating point '{self.name}': nothing says how it is found")


def _best_dice(
    histograms: Sequence[ScoreHistogram], region: Region, read: Read | None
) -> FoundThreshold:
    from andi_bench.metrics.thresholds import best_dice

    return best_dice(histograms, region, read)


def _yen(
    scores: NDArray[np.float32], brain: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], float | None]:
    from andi_bench.metrics.thresholds import yen_detection

    return yen_detection(scores, brain)


RANKING_POINT = OperatingPoint(
    name="val-dice",
    definition="Threshold of the highest mean Dice over the validation subjects with a lesion, then frozen.",
    how="highest mean per-subject Dice of {n} validation subjects with a lesion, over all scores",
    where="the threshold that maximises it on the validation split",
    search=_best_dice,
    priority=0,
)
"""The point that ranks; surfaces and lesions are measured at this one."""

YEN = OperatingPoint(
    name="yen",
    definition="Yen's threshold of each volume's own scores, then one dilation by the 6 neighbours.",
    how="Yen's threshold of each volume's brain, then one dilation by the 6 neighbours",
    where="Yen's threshold, found per volume, then one binary dilation (6 neighbours)",
    source="volume",
    detect=_yen,
    priority=7,
)

UPPER_BOUND = OperatingPoint(
    name="oracle",
    definition=(
        "Threshold of the highest mean Dice over the test subjects with a lesion themselves: an upper bound that nobody reaches "
        "without the answers. It never ranks."
    ),
    how="highest mean per-subject Dice of the {n} test subjects with a lesion themselves: an upper bound",
    where="the best threshold of the test split itself",
    source="test",
    search=_best_dice,
    unranked="its threshold is found on the test split itself",
    priority=2,
)
"""What no user can reach without the answers."""


def _at_rate(name: str, rate: float, priority: int) -> OperatingPoint:
    """Return the point that lets a share of the lesion-free voxels of the validation split pass."""
    percent = f"{100 * rate:g} %"
    return OperatingPoint(
        name=name,
        definition=(
            f"Threshold that {percent} of the lesion-free brain voxels of the validation split exceed, then frozen."
        ),
        how=f"at most {percent} of the lesion-free brain voxels of {{n}} validation subjects above it",
        where=f"the threshold above which {percent} of the lesion-free brain voxels of the validation split lie",
        rate=rate,
        priority=priority,
    )


_ENTRIES = (
    RANKING_POINT,
    _at_rate("val-fpr1", 0.01, priority=8),
    _at_rate("val-fpr5", 0.05, priority=6),
    YEN,
    UPPER_BOUND,
)

POINTS = {point.name: point for point in _ENTRIES}
"""Every operating point by name, in the order of the tables."""

RANKING = f"dice@{RANKING_POINT.name}"
"""Key of the metric that ranks, unless another one is asked for."""


def points_from(source: Source) -> list[OperatingPoint]:
    """Return the operating points that one source decides, in order."""
    return [point for point in POINTS.values() if point.source == source]


def rates() -> dict[str, float]:
    """Return the nominal false-positive rates by the names of their points."""
    return {point.name: point.rate for point in POINTS.values() if point.rate is not None}


def freeze(
    histograms: Sequence[ScoreHistogram], region: Region = "brain", read: Read | None = None
) -> dict[str, FoundThreshold]:
    """Find the threshold of every point that the validation subjects decide.

    Without a lesion-free voxel there are no false-positive rates, and points that have one are left out.

    Parameters
    ----------
    histograms : sequence of ScoreHistogram
        One a validation subject.
    region : {"brain", "all"}
        Where voxels count.
    read : callable, optional
        Reads the subjects' scores again where bins are too coarse.

    Raises
    ------
    ValueError
        For no subject.
    """
    from andi_bench.metrics.thresholds import false_positive_thresholds

    points = points_from("validation")
    found: dict[str, Any] = {
        point.name: point.search(histograms, region, read)
        for point in points
        if point.search is not None
    }
    if any(histogram.totals(region)[1] for histogram in histograms):
        found |= false_positive_thresholds(histograms, rates(), region, read)
    return {point.name: found[point.name] for point in points if point.name in found}
