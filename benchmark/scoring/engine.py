"""Scoring: from a detector and a volume to an anomaly map that the evaluation can trust."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from andi_bench.arithmetic.denormals import denormals_as_zero
from andi_bench.config import ScoringConfig
from andi_bench.errors import UserError
from andi_bench.names import counted
from andi_bench.randomness import SliceGenerator, derive_seed
from benchmark.scoring.costs import CallCounter
from benchmark.scoring.input_limit import InputLimit, MemoryWatch
from benchmark.scoring.modality_curves import Curve
from datasets.volume import MODALITIES, Volume
from methods.base import AnomalyDetector

T = TypeVar("T")

VERSION = 1
"""Raised when the same scores of slices would give another map: what was scored before is then not found again."""

MOST_VOLUMES = 8
"""Volumes whose slices share batches, at most: as many are in memory, and are scored again where a run is stopped."""


@dataclass(frozen=True)
class ScoreEngine:
    """Implements :class:`methods.base.ScoreContext`.

    Parameters
    ----------
    seed : int
        The run's seed; with the subject and the slice number it seeds each slice's random stream.
    device : torch.device
        Where slices are scored.
    config : ScoringConfig
        Batch size and reduction over modalities.
    modalities : tuple of str
        Names of the channels; needed where one of them is reduced to, or curves are given.
    curves : tuple of Curve
        For each modality what its scores are mapped by before the reduction; () for no mapping.
    limit : InputLimit, optional
        How many inputs the network is given at once; shared by the engines made from this one.
    """

    seed: int
    device: torch.device
    config: ScoringConfig
    modalities: tuple[str, ...] = ()
    curves: tuple[Curve, ...] = ()
    limit: InputLimit = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.limit is None:
            limit = InputLimit(self.config.batch_size, self.device)
            object.__setattr__(self, "limit", limit)

    @property
    def batch_size(self) -> int:
        """Slices scored at once, at most."""
        return self.limit.value

    def fitted(self, detector: AnomalyDetector, whose: str, work: Callable[[], T]) -> T:
        """Do work with a detector; where memory runs out, do it again with half as many inputs at once.

        Parameters
        ----------
        detector : AnomalyDetector
            Is told how many inputs its network may be given.
        whose : str
            Named in the error.
        work : callable
            Gives the same however many inputs are given at once.

        Raises
        ------
        UserError
            When memory does not suffice for one input.
        """
        while True:
            detector.inputs_at_once = self.limit.value
            try:
                with denormals_as_zero():
                    return work()
            except (torch.OutOfMemoryError, MemoryError):
                pass  # left before the next attempt, so that the failed one's tensors are free
            self.limit.halve(whose)

    def batches(
        self, volume: Volume, slices: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[NDArray[np.int64], torch.Tensor, SliceGenerator]]:
        """Cut a volume into even batches of the slices that hold brain, lowest first; of ``slices`` alone where they are given.

        With ``scoring.published_outside`` all slices are cut, with brain or without.
        """
        filled = self.scored_slices(volume)
        if slices is not None:
            filled = np.intersect1d(filled, slices)
        count = -(-len(filled) // self.batch_size)
        for z in np.array_split(filled, count) if count else ():
            images = np.ascontiguousarray(volume.image[..., z].transpose(3, 0, 1, 2))
            seeds = [self.slice_seed(volume, int(k)) for k in z]
            yield (
                z,
                torch.from_numpy(images).to(self.device),
                SliceGenerator(seeds, self.device),
            )

    def slice_seed(self, volume: Volume, z: int) -> int:
        """Return what seeds the random stream of a volume's slice."""
        return derive_seed(self.seed, volume.subject, z, "score")

    def volumes_at_once(self, detector: AnomalyDetector, volume: Volume) -> int:
        """Return how many volumes like this one fill the device together, 1 to :data:`MOST_VOLUMES`."""
        slices = len(self.scored_slices(volume)) if detector.joins_volumes else 0
        if not slices:
            return 1
        return min(MOST_VOLUMES, -(-self.batch_size // slices))

    def scored_slices(self, volume: Volume) -> NDArray[np.int64]:
        """Return the numbers of the slices that are scored, (N,), rising."""
        if self.config.published_outside:
            return np.arange(volume.shape[2])
        return np.flatnonzero(volume.brain.any(axis=(0, 1)))

    def counted(self, differences: torch.Tensor) -> torch.Tensor:
        """Return what counts of signed differences, >= 0, of the same shape; the argument's memory may be taken."""
        how = self.config.deviations
        if how == "both":
            return differences.abs_()
        return (differences if how == "brighter" else differences.neg_()).clamp_(min=0)

    def reduce(self, scores: torch.Tensor) -> torch.Tensor:
        """Reduce scores over the modalities, (N, C, H, W) -> (N, H, W).

        Each modality's scores are mapped by its curve before, where curves are given. One score for all modalities, C = 1,
        is taken as it is.

        Raises
        ------
        UserError
            When one modality is asked for, and C is neither 1 nor the number of modalities.
        """
        how = self.config.reduction
        if scores.shape[1] > 1 and self.curves:
            pairs = zip(self.curves, scores.unbind(dim=1), strict=True)
            scores = torch.stack([curve(channel) for curve, channel in pairs], dim=1)
        if how == "max":
            return scores.amax(dim=1)
        if how == "mean":
            return scores.mean(dim=1)
        if how == "first" or scores.shape[1] == 1:
            return scores[:, 0]
        if scores.shape[1] != len(self.modalities):
            raise UserError(
                f"scoring.reduction = {how}: scores of {counted(scores.shape[1], 'channel')}, "
                f"{counted(len(self.modalities), 'modality', 'modalities')} wanted"
            )
        return scores[:, self.modalities.index(how)]


@dataclass(frozen=True)
class _Lent(ScoreEngine):
    """The engine as a detector sees it: notes whether it was asked to reduce, and knows which volumes lie one upon another.

    Each slice of theirs has the random stream that it has where its volume is scored alone.
    """

    parts: tuple[Volume, ...] = ()
    asked: list[bool] = field(default_factory=list)

    def slice_seed(self, volume: Volume, z: int) -> int:
        for part in self.parts:
            if z < part.shape[2]:
                break
            z -= part.shape[2]
        return super().slice_seed(part, z)

    def reduce(self, scores: torch.Tensor) -> torch.Tensor:
        self.asked.append(True)
        return super().reduce(scores)


@dataclass(frozen=True)
class ScoredVolume:
    """An anomaly map and what it cost.

    Parameters
    ----------
    map : float32 (X, Y, Z)
        Higher = more anomalous, finite; 0 outside the brain, unless ``scoring.published_outside``.
    seconds : float
        Wall-clock time of the scoring; of volumes that shared batches, the share of its slices.
    network_calls : int
        Slices given to the network, each pass counted; of volumes that shared batches, the share of its slices.
    slices : int
        Slices of the volume that were scored: the non-empty ones, as a rule.
    """

    map: NDArray[np.float32]
    seconds: float
    network_calls: int
    slices: int


def score_volume(detector: AnomalyDetector, volume: Volume, engine: ScoreEngine) -> ScoredVolume:
    """Score one volume and check what the detector returns; see :func:`score_volumes`."""
    (found,) = score_volumes(detector, [volume], engine)
    return found


def score_volumes(
    detector: AnomalyDetector, volumes: Sequence[Volume], engine: ScoreEngine
) -> Iterator[ScoredVolume]:
    """Score volumes in batches that they share, and check what the detector returns.

    Parameters
    ----------
    detector : AnomalyDetector
        Of more than one volume: one that ``joins_volumes``.
    volumes : sequence of Volume
        One, or several whose slices have one size (:meth:`ScoreEngine.volumes_at_once`).
    engine : ScoreEngine
        What the detector is lent.

    Yields
    ------
    ScoredVolume
        One for each volume, in order. What is wrong with a map is raised in its turn, so that those before are not lost.

    Raises
    ------
    UserError
        When a map has another shape than its volume, or non-finite values in the brain; names the method, the
        subject and the count; when a single modality is asked for and the detector does not reduce over modalities.
    """
    joined = _joined(volumes)
    counter, memory = CallCounter(), MemoryWatch(engine.device)
    lent = _Lent(**vars(engine), parts=tuple(volumes))
    started = time.perf_counter()
    whose = f"method '{detector.name}', {_named(volumes)}"

    def attempt() -> NDArray[np.float32]:
        counter.slices = 0
        return np.asarray(detector.score(joined, lent))

    with counter.counting(getattr(detector, "net", None)):
        scores = engine.fitted(detector, whose, attempt)
    memory.tell(engine.limit, counter.largest)
    if engine.config.reduction in MODALITIES and joined.brain.any() and not lent.asked:
        raise does_not_reduce(detector.name, f"scoring.reduction = {engine.config.reduction}")
    if engine.device.type == "cuda":
        torch.cuda.synchronize(engine.device)
    seconds = time.perf_counter() - started
    if scores.shape != joined.shape:
        raise UserError(f"{whose}: map of shape {scores.shape}, {joined.shape} wanted")
    counts = [len(engine.scored_slices(v)) for v in volumes]
    total = max(1, sum(counts))
    below = 0
    for volume, slices in zip(volumes, counts, strict=True):
        own = scores[:, :, below : below + volume.shape[2]]
        below += volume.shape[2]
        share = slices / total if len(volumes) > 1 else 1.0
        yield ScoredVolume(
            _checked(own, volume, engine.config.published_outside, detector.name),
            seconds * share,
            round(counter.slices * share),
            slices,
        )


def _named(volumes: Sequence[Volume]) -> str:
    """Return what an error calls the volumes."""
    return f"subject{'s' * (len(volumes) > 1)} {', '.join(v.subject for v in volumes)}"


def _joined(volumes: Sequence[Volume]) -> Volume:
    """Return volumes laid one upon another; a single one as it is."""
    first = volumes[0]
    if len(volumes) == 1:
        return first
    return replace(
        first,
        subject=", ".join(v.subject for v in volumes),
        image=np.concatenate([v.image for v in volumes], axis=3),
        brain=np.concatenate([v.brain for v in volumes], axis=2),
        lesion=None,
        ignore=None,
        before_resizing=None,
    )


def _checked(
    scores: NDArray[np.float32], volume: Volume, everywhere: bool, method: str
) -> NDArray[np.float32]:
    """Return a map, 0 outside the brain unless it counts everywhere, all finite."""
    out = (scores if everywhere else np.where(volume.brain, scores, 0)).astype(np.float32)
    bad = int(np.count_nonzero(~np.isfinite(out)))
    if bad:
        where = "" if everywhere else " in the brain"
        raise UserError(
            f"method '{method}', subject {volume.subject}: {bad} non-finite scores{where}, finite ones wanted"
        )
    return out


def scoring_notes(config: ScoringConfig) -> tuple[str, ...]:
    """Return what a reader of a record must know of how its volumes were scored."""
    if not config.published_outside:
        return ()
    return (
        "maps keep their scores outside the brain mask and in slices without brain, as published: figures by the paper's "
        "protocol, and of filtered maps, are not those of maps that are 0 there",
    )


def does_not_reduce(method: str, setting: str) -> UserError:
    """Build the error for a method whose map does not come from scores of several modalities."""
    return UserError(
        f"method '{method}' does not reduce scores over modalities: {setting} says nothing to it; "
        "scoring.reduction = max or mean and scoring.calibration = none wanted"
    )
