"""How networks are trained: budget, optimiser, which slices, and how these are changed at random."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializationInfo, SerializerFunctionWrapHandler, model_serializer

from andi_bench.section import EVERY_FIELD, Compilation, Section


class AugmentationConfig(Section):
    """Random changes of training slices, drawn anew whenever a slice is used. All are off by default.

    A strength of 0 switches a change off. What is off is left out of what names a training, which is named by what was done to
    its slices and by nothing else.
    """

    probability: float = Field(
        0.5,
        gt=0,
        le=1,
        description="share of slices that each change is made to, but for modality_dropout, which is a share itself",
    )
    rotation: float = Field(
        0.0, ge=0, le=180, description="in the axial plane, degrees, at most this either way"
    )
    scale: float = Field(0.0, ge=0, le=1, description="size times or divided by at most 1 + scale")
    shift: float = Field(
        0.0, ge=0, le=0.5, description="along each axis, share of the edge, at most this either way"
    )
    shear: float = Field(
        0.0, ge=0, le=0.5, description="slant of one axis along the other, at most this either way"
    )
    elastic: float = Field(
        0.0,
        ge=0,
        le=0.09,
        description="smooth deformation, share of the edge, at most this along each axis; it never folds",
    )
    gamma: float = Field(
        0.0, ge=0, le=2, description="exponent of a power law between 1 / (1 + gamma) and 1 + gamma"
    )
    contrast: float = Field(
        0.0, ge=0, le=2, description="distance to the mean times or divided by at most 1 + contrast"
    )
    brightness: float = Field(
        0.0, ge=0, le=2, description="intensity times or divided by at most 1 + brightness"
    )
    bias: float = Field(
        0.0, ge=0, le=1, description="smooth shading, a factor between exp(-bias) and exp(bias)"
    )
    noise: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Gaussian, with a standard deviation between 0 and this, in image units",
    )
    modality_dropout: float = Field(
        0.0, ge=0, le=0.9, description="share of channels set to 0; one of a slice is always left"
    )

    @property
    def active(self) -> bool:
        """Whether any change is on."""
        return any(value for key, value in self if key != "probability")

    @model_serializer(mode="wrap")
    def _without_what_is_off(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        dumped: dict[str, Any] = handler(self)
        if info.context == EVERY_FIELD:
            return dumped
        return {key: value for key, value in dumped.items() if value} if self.active else {}


class TrainingConfig(Section):
    """The engine's training loop. The first of steps, epochs and minutes that is reached ends it."""

    steps: int | None = Field(None, gt=0, description="optimiser steps")
    epochs: float | None = Field(None, gt=0, description="passes over the slices")
    published_epochs: bool = Field(
        False,
        description="count the last, short batch of every pass as a step, as published: 109,510 steps in place of 109,287 for 233 "
        "passes over 60,037 slices by 128",
    )
    minutes: float | None = Field(
        None, gt=0, description="wall-clock limit; the schedule still spans steps or epochs"
    )
    batch_size: int = Field(128, gt=0, description="slices per step, over all processes")
    optimizer: Literal["adamw", "adam"] = "adamw"
    learning_rate: float = Field(1e-4, gt=0, description="peak")
    start_learning_rate: float = Field(
        0.0, ge=0, description="before warm-up, and after the cosine"
    )
    schedule: Literal["cosine", "constant"] = "cosine"
    schedule_epochs: float | None = Field(
        None, gt=0, description="epochs the cosine spans; null: the whole training"
    )
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the steps, linear")
    weight_decay: float = Field(0.01, ge=0)
    amsgrad: bool = False
    ema_decay: float | None = Field(0.995, gt=0, lt=1, description="null: no moving average")
    ema_start: int = Field(2000, ge=0, description="step from which the average is kept")
    gradient_clip: float | None = Field(1.0, gt=0, description="largest norm; null: none")
    precision: Literal["auto", "float32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 where an accelerator has it, float32 elsewhere"
    )
    compile: Compilation = Field(
        False,
        description="torch.compile the network; needs a compiler. reduce-overhead: capture CUDA graphs too, on a GPU",
    )
    flip: bool = Field(False, description="random left-right flips")
    sampling: Literal["slices", "balanced"] = Field(
        "slices",
        description="slices: each once a pass; balanced: subjects with equal weight, and heights in the brain too",
    )
    cache: Literal["auto", "device", "none"] = Field(
        "auto",
        description="keep all slices in the device's memory; auto: on an accelerator, where they take at most half of what is "
        "free; none: read ahead of each step",
    )
    accumulate: int = Field(
        1,
        gt=0,
        description="parts that a batch is computed in, one after the other; more need less memory",
    )
    checkpoint_minutes: float = Field(2.0, gt=0, description="time between checkpoints")
    augmentation: AugmentationConfig = Field(
        AugmentationConfig(), description="random changes of the slices, beside flips"
    )

    @model_serializer(mode="wrap")
    def _as_before(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """Leave out what is off: what was trained before the field was there keeps its name."""
        dumped: dict[str, Any] = handler(self)
        if info.context == EVERY_FIELD:
            return dumped
        if not self.augmentation.active:
            dumped.pop("augmentation", None)
        if self.sampling == "slices":
            dumped.pop("sampling", None)
        if not self.compile:
            dumped.pop("compile", None)
        if not self.published_epochs:
            dumped.pop("published_epochs", None)
        if self.accumulate == 1:
            dumped.pop("accumulate", None)
        if self.cache == "auto":
            dumped.pop("cache", None)
        return dumped
