"""The contract a detector fulfils.

A detector is one class. It never opens a file, never chooses a device and never prints: the engine hands it slices or volumes,
random streams and a place to show progress, and owns everything else (training loop, checkpoints, batching, timing, records).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from andi_bench.errors import UserError
from andi_bench.randomness import VERSION, SliceGenerator
from andi_bench.registry import register, source_hash
from datasets.volume import Volume
from methods.hyper_parameters import DetectorConfig, Field, read_by_training, scoring_field

__all__ = [
    "AnomalyDetector",
    "DetectorConfig",
    "Field",
    "FitContext",
    "ImageSpec",
    "ScoreContext",
    "SliceBatch",
    "SliceDetector",
    "SliceGenerator",
    "Slices",
    "register",
    "scoring_field",
]


@dataclass(frozen=True)
class ImageSpec:
    """What the images look like that a detector will see.

    Parameters
    ----------
    modalities : tuple of str
        Names of the channels, in order.
    size : (int, int)
        Height and width of a slice on the working grid.
    """

    modalities: tuple[str, ...]
    size: tuple[int, int]

    @property
    def channels(self) -> int:
        """Number of modalities."""
        return len(self.modalities)


@dataclass(frozen=True)
class SliceBatch:
    """Healthy training slices.

    Parameters
    ----------
    images : float32 tensor (N, C, H, W)
        About [0, 1]; see :class:`datasets.volume.Volume`.
    subjects : tuple of str
        Subject of each slice.
    z : int64 array (N,)
        Slice number of each in its volume.
    depth : int64 array (N,)
        Number of slices of that volume.
    """

    images: torch.Tensor
    subjects: tuple[str, ...]
    z: NDArray[np.int64]
    depth: NDArray[np.int64]


class Slices(Protocol):
    """The healthy training slices, read from the slice store batch by batch, in a fixed order."""

    def __len__(self) -> int:
        """Return the number of slices."""

    def __iter__(self) -> Iterator[SliceBatch]:
        """Iterate over all slices once, subject by subject, each subject from its lowest slice up."""

    def mean(self) -> torch.Tensor:
        """Return the mean over all slices, float32 (C, H, W), in one pass."""


class FitContext(Protocol):
    """What the engine lends a detector while it learns."""

    seed: int
    device: torch.device

    def progress(self, slices: Slices) -> Slices:
        """Return the same slices, shown as a progress bar while they are read."""

    def train(self, detector: SliceDetector, slices: Slices) -> None:
        """Train ``detector.net`` on ``detector.loss`` by the engine's loop, as configured."""


class ScoreContext(Protocol):
    """What the engine lends a detector while it scores one volume."""

    @property
    def device(self) -> torch.device:
        """Where the slices lie."""

    @property
    def batch_size(self) -> int:
        """Slices given to ``score_slices`` at once, at most."""

    def batches(
        self, volume: Volume, slices: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[NDArray[np.int64], torch.Tensor, SliceGenerator]]:
        """Cut a volume into batches of its non-empty slices; where ``slices`` names some, of these alone.

        Yields the slice numbers (N,), the slices (N, C, H, W) on the device, and their random streams, which are those of
        the slice whichever others are asked for.
        """

    def counted(self, differences: torch.Tensor) -> torch.Tensor:
        """Return what counts of signed differences, >= 0, any shape, as ``scoring.deviations`` says."""

    def reduce(self, scores: torch.Tensor) -> torch.Tensor:
        """Reduce scores over the modalities, (N, C, H, W) -> (N, H, W), as configured.

        Slices in the order in which :meth:`batches` gave them, each once, or all of the volume at once.
        """


class AnomalyDetector:
    """Base of all detectors.

    Parameters
    ----------
    config : DetectorConfig
        An instance of the class's own ``Config``.
    spec : ImageSpec
        Modalities and slice size.

    Raises
    ------
    UserError
        When a modality in ``requires`` is missing.
    """

    name: ClassVar[str]
    Config: ClassVar[type[DetectorConfig]] = DetectorConfig
    requires: ClassVar[tuple[str, ...]] = ()
    """Modalities that the detector cannot do without; () for any."""
    reduces: ClassVar[bool] = True
    """Whether :meth:`score` reduces scores of the modalities by ``context.reduce``. Where not, settings that choose among
    modalities or bring them into line are refused before any work."""
    signed: ClassVar[bool] = False
    """Whether scores of slices have a direction: above 0 where a voxel is brighter than expected, below 0 where it is darker.
    ``scoring.deviations`` then says which count."""
    training_name: ClassVar[str | None] = None
    """Methods that share one training (the same network, loss and noise) give the same name here."""
    recipe: ClassVar[int | None] = None
    """A number that is raised by hand when equal settings learn or score otherwise than before. None, and where a class
    does not give its own: the file that defines the class stands for it, so that any edit trains and scores again."""
    draws: ClassVar[tuple[str, ...]] = ("training", "scoring")
    """Which stages draw from random streams: what they make is named with the streams' version. Where a class gives none: both."""
    scoring_recipe: ClassVar[int] = 1
    """Raised by hand when what was learnt before scores otherwise: maps are made anew, trainings are found again."""
    inputs_at_once: int = 1
    """Set by the engine: inputs that the network may be given at once. Of interest where a slice gives several."""

    @property
    def joins_volumes(self) -> bool:
        """Whether slices of several volumes may share a batch. Not where :meth:`score` looks at a volume as a whole."""
        return False

    config: Any  # each subclass narrows it to its own Config
    calibration: dict[str, float]
    """What :meth:`calibrate` returned; empty before, and for detectors that need none."""

    def __init__(self, config: DetectorConfig, spec: ImageSpec) -> None:
        self.config = config
        self.spec = spec
        self.calibration = {}
        missing = [m for m in self.requires if m not in spec.modalities]
        if missing:
            raise UserError(
                f"method '{self.name}' needs the modality {', '.join(missing)}: "
                f"the data has {', '.join(spec.modalities)}"
            )

    @classmethod
    def learns(cls) -> bool:
        """Whether the detector learns from training slices at all."""
        return cls.fit is not AnomalyDetector.fit

    @classmethod
    def revision(cls) -> dict[str, Any]:
        """Return what identifies the code of the detector, beside its name; {} for a recipe of 1."""
        number = vars(cls).get("recipe")
        if number is None:
            return {"source": source_hash(cls)}
        return {"recipe": number} if number != 1 else {}

    @classmethod
    def streams(cls, *stages: str) -> dict[str, int]:
        """Return the version of the random streams where one of the stages draws, {} where none does."""
        drawn = vars(cls).get("draws", AnomalyDetector.draws)
        return {"streams_version": VERSION} if set(drawn) & set(stages) else {}

    @classmethod
    def scoring_revision(cls) -> dict[str, Any]:
        """Return what identifies how it scores, beside :meth:`revision`; {} for a scoring recipe of 1."""
        return {"scoring recipe": cls.scoring_recipe} if cls.scoring_recipe != 1 else {}

    def training_config(self) -> dict[str, Any]:
        """Return the hyper-parameters that a training depends on (see :func:`scoring_field`)."""
        fields = self.config.model_dump(mode="json").items()
        return {key: value for key, value in fields if read_by_training(type(self.config), key)}

    def label(self) -> str:
        """Return the method's name in tables; a component that matters may be added to it."""
        return self.name

    def fit(self, slices: Slices, context: FitContext) -> None:
        """Learn from healthy slices. Training-free detectors do not override this."""

    @property
    def needs_calibration(self) -> bool:
        """Whether :meth:`calibrate` is to be called before scoring."""
        return False

    def calibrate(self, volumes: Iterable[Volume], context: ScoreContext) -> dict[str, float]:
        """Settle on validation data what a method needs before it can score, such as a threshold of its own.

        Called after the training, once, where ``needs_calibration``; never sees a test subject. The engine keeps what is
        returned in ``self.calibration`` and in the record.

        Parameters
        ----------
        volumes : iterable of Volume
            The labelled validation subjects, with their lesion masks, read one by one.

        Returns
        -------
        dict of str to float
            Finite figures by name.

        Raises
        ------
        UserError
            When the data cannot settle it.
        """
        raise TypeError(f"{type(self).__name__} needs a calibration and defines no calibrate()")

    def score(self, volume: Volume, context: ScoreContext) -> NDArray[np.float32]:
        """Return the anomaly map of a volume, float32 (X, Y, Z), higher = more anomalous.

        The engine sets it to 0 outside the brain and refuses non-finite values.
        """
        raise TypeError(f"{type(self).__name__} defines no score(volume, context)")

    @classmethod
    def expects(cls) -> bool:
        """Whether the detector can show what it compares a scan with: it gives :meth:`expected`."""
        return cls.expected is not AnomalyDetector.expected

    def expected(
        self, volume: Volume, slices: NDArray[np.int64], context: ScoreContext
    ) -> NDArray[np.float32] | None:
        """Return the image that a scan was compared with; None where there is none, as in a detector that does not override this.

        Figures and viewers show it: float32 (C, X, Y, N), finite, on the scale of ``volume.image``. Asked for after scoring, for
        the ``slices`` (N,) that are drawn, ascending, with brain in each. Chance in it comes from the streams of
        ``context.batches(volume, slices)``, so that it is the image behind the map.
        """
        return None

    def state(self) -> dict[str, torch.Tensor]:
        """Return what was learnt, by name: every tensor attribute, and the network's parameters."""
        return {key: value for key, value in vars(self).items() if isinstance(value, torch.Tensor)}

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Take what :meth:`state` returned."""
        for key, value in state.items():
            setattr(self, key, value)

    def to(self, device: torch.device) -> None:
        """Move what was learnt to a device."""
        for key, value in vars(self).items():
            if isinstance(value, torch.Tensor | nn.Module):
                setattr(self, key, value.to(device))


class SliceDetector(AnomalyDetector):
    """A detector that looks at axial slices one by one.

    A subclass gives either ``network`` and ``loss`` (trained by the engine) or its own ``fit``, and always ``score_slices``.
    """

    net: nn.Module

    @classmethod
    def learns(cls) -> bool:
        """Whether the detector has a network to train or its own ``fit``."""
        return cls.fit is not SliceDetector.fit or cls.has_network()

    @classmethod
    def has_network(cls) -> bool:
        """Whether the engine trains a network for this detector."""
        return cls.network is not SliceDetector.network

    def network(self) -> nn.Module:
        """Build the untrained network; called once by the engine, under a seeded generator."""
        raise TypeError(f"{type(self).__name__} defines no network()")

    def loss(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the training loss, a scalar tensor, of a batch of healthy slices (N, C, H, W).

        The network must be called as ``self.net(...)``, so that the engine may wrap it.
        """
        raise TypeError(f"{type(self).__name__} defines a network but no loss()")

    def gather(self, slices: Slices, context: FitContext) -> None:
        """Look over the training slices, once, for what :meth:`loss` needs of them and the state shall not hold."""

    def fit(self, slices: Slices, context: FitContext) -> None:
        """Gather, then train the network by the engine's loop."""
        if self.has_network():
            self.gather(slices, context)
            context.train(self, slices)

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return scores (N, C, H, W), or (N, 1, H, W), for a batch of slices (N, C, H, W).

        Higher is more anomalous; of a detector that is ``signed``, farther from 0.
        """
        raise TypeError(f"{type(self).__name__} defines no score_slices()")

    def reconstruct_slices(
        self, batch: torch.Tensor, generator: SliceGenerator
    ) -> torch.Tensor | None:
        """Return the images that :meth:`score_slices` compares slices with, both (N, C, H, W) of about [0, 1]; or None.

        Optional: figures and viewers show them (:meth:`expected`). ``generator`` begins as it does in ``score_slices``; who draws
        from it in the same order shows the very reconstruction behind the map.
        """
        return None

    @classmethod
    def expects(cls) -> bool:
        """Whether the detector gives :meth:`reconstruct_slices`, or its own :meth:`expected`."""
        own = cls.expected is not SliceDetector.expected
        return own or cls.reconstruct_slices is not SliceDetector.reconstruct_slices

    @torch.inference_mode()
    def expected(
        self, volume: Volume, slices: NDArray[np.int64], context: ScoreContext
    ) -> NDArray[np.float32] | None:
        """Reconstruct the slices in batches."""
        found = []
        for _, batch, generator in context.batches(volume, slices):
            images = self.reconstruct_slices(batch, generator)
            if images is None:
                return None
            found.append(images.permute(1, 2, 3, 0).float().cpu().numpy())
        return np.concatenate(found, axis=3) if found else None

    @property
    def joins_volumes(self) -> bool:
        """Whether slices of several volumes may share a batch: where a subclass has no :meth:`score` of its own."""
        return type(self).score is SliceDetector.score

    @torch.inference_mode()
    def score(self, volume: Volume, context: ScoreContext) -> NDArray[np.float32]:
        """Score the non-empty slices in batches and put them together to a map (X, Y, Z)."""
        out = np.zeros(volume.shape, dtype=np.float32)
        for z, batch, generator in context.batches(volume):
            scores = self.score_slices(batch, generator)
            scores = context.reduce(context.counted(scores) if self.signed else scores)
            out[:, :, z] = scores.permute(1, 2, 0).float().cpu().numpy()
        return out

    def state(self) -> dict[str, torch.Tensor]:
        """Return tensor attributes, and the network's state under ``net.``."""
        net = self.net.state_dict() if self.has_network() else {}
        return super().state() | {f"net.{key}": value for key, value in net.items()}

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Take what :meth:`state` returned."""
        net = {k.removeprefix("net."): v for k, v in state.items() if k.startswith("net.")}
        if net:
            self.net.load_state_dict(net)
        super().load({k: v for k, v in state.items() if not k.startswith("net.")})
