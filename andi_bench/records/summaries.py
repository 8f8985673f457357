"""The figures in a run record: thresholds, and what a chain of post-processing came to."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from andi_bench.names import in_number

_FORMERLY = "still improving at the end of its training budget: the mean loss of the last fifth is"
FALLING = "loss still falling at the end of its training budget: its mean over the last fifth is"
"""How a note on the loss begins. It was worded as if the method would find more, which a falling loss does not say."""


def _as_said_today(text: str) -> str:
    return in_number(text.replace(_FORMERLY, FALLING))


Told = Annotated[str, AfterValidator(_as_said_today)]
"""A text for readers, as this version words it: one thing is told as one also where an earlier one wrote "1 subjects"."""


class Part(BaseModel):
    """Base of the record's parts: unknown keys and non-finite numbers are refused, values are fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ThresholdSpread(Part):
    """How far a threshold hangs on who was in the validation split, by a bootstrap of the ``subjects`` it was found on.

    ``low``, ``median``, ``high``: 2.5, 50 and 97.5 % of the thresholds that ``resamples`` of these subjects would have
    chosen, ``sd`` their standard deviation; ``dice_*`` the same of the mean Dice that they give on the test subjects with a
    lesion, None where small detections are removed after the threshold. All are None with one subject: nothing tells then.
    """

    subjects: int
    resamples: int
    low: float | None = None
    median: float | None = None
    high: float | None = None
    sd: float | None = None
    dice_low: float | None = None
    dice_median: float | None = None
    dice_high: float | None = None
    dice_sd: float | None = None


class RecordedThreshold(Part):
    """A threshold and where it comes from.

    ``threshold`` None: one per volume, or none could be found. ``edge``: the optimum lies at the end of
    the scores. ``test_fpr``: share of lesion-free brain voxels of the test split above it. ``reached``: of a threshold that
    the validation subjects decide, what it reaches on those it was found on: their mean Dice, or the rate that it was
    looked for by; None for other points, where nobody counts, and in older records. ``spread``: of the point that
    ranks; None for others, without resamples, and in older records.
    """

    threshold: float | None = None
    edge: bool = False
    how: Told = ""
    test_fpr: float | None = None
    reached: float | None = None
    spread: ThresholdSpread | None = None


class Pooled(Part):
    """Figures over all voxels of all subjects, with subject-bootstrap 95 % limits; None where undefined.

    ``ap_error`` and ``auroc_error`` bound how far a figure can be from exact, proven; 0 where the voxels were counted
    one by one (``exact``).
    """

    ap: float | None = None
    ap_low: float | None = None
    ap_high: float | None = None
    ap_error: float | None = None
    auroc: float | None = None
    auroc_low: float | None = None
    auroc_high: float | None = None
    auroc_error: float | None = None
    exact: bool = False
    prevalence: float | None = None


class SubjectSummary(Part):
    """A per-subject metric over the ``n`` subjects where it is defined, with bootstrap 95 % limits of the mean."""

    mean: float | None = None
    median: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    undefined: int = 0


class ScanLevel(Part):
    """AUROC of the scans with a lesion against those without one, by the score of each scan, with its 95 % interval."""

    auroc: float
    low: float
    high: float
    lesion: int
    lesion_free: int


class FrocAt(Part):
    """Share of all lesions found at no more than ``rate`` false-positive lesions per scan, over all thresholds.

    ``error``: standard error over subjects; ``low``, ``high``: 95 % interval, None where nothing varies.
    """

    rate: float
    sensitivity: float
    error: float
    low: float | None = None
    high: float | None = None


class FrocCurve(Part):
    """FROC over all lesions of all subjects: sensitivity at some rates, and the corners of the whole curve, both rising."""

    at: tuple[FrocAt, ...]
    false_positives: tuple[float, ...] = ()
    sensitivity: tuple[float, ...] = ()
    lesions: int
    with_lesion: int
    scans: int


class ChainSummary(Part):
    """Results of one chain of post-processing; keys of ``subjects`` are those of the catalogue, such as ``ap``, with their operating point as ``dice@...``.

    ``scan`` and ``froc`` are None where they are undefined, and in older records.
    """

    pooled: Pooled = Pooled()
    subjects: dict[str, SubjectSummary] = Field(default_factory=dict)
    scan: ScanLevel | None = None
    froc: FrocCurve | None = None
