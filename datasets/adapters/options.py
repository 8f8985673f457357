"""What a data set's YAML may say under ``options``, whatever its adapter."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from andi_bench.config import Section
from datasets.scans.lesion_mask import LesionRule, require_apart, without_empty_ignore
from datasets.splits import FRACTIONS


class AdapterOptions(Section):
    """What a data set's YAML may say under ``options``."""

    lesion_labels: tuple[int, ...] | None = Field(
        None,
        min_length=1,
        description="mask labels that are lesion; null: every label above 0 that is not to be ignored",
    )
    ignore_labels: tuple[int, ...] = Field(
        (),
        description="mask labels whose voxels count for nobody: neither lesion nor healthy (other pathology, cavities)",
    )
    other_labels: tuple[int, ...] | Literal["any"] = Field(
        (),
        description="labels a mask may hold beside lesion_labels, as healthy as 0; any else is refused",
    )
    mask_threshold: float = Field(
        0.5, gt=0, lt=1, description="a resampled mask (values between 0 and 1) is lesion above it"
    )
    missing_mask: Literal["unknown", "healthy"] = Field(
        "unknown", description="what a subject without a mask is; healthy: it has no lesion"
    )
    split_fractions: tuple[float, float, float] = Field(
        FRACTIONS, description="shares of train, val and test where no file splits the subjects"
    )

    @model_validator(mode="after")
    def _shares(self) -> AdapterOptions:
        if min(self.split_fractions) < 0 or abs(sum(self.split_fractions) - 1) > 1e-6:
            raise ValueError(
                f"split_fractions = {list(self.split_fractions)}: three shares that sum to 1 wanted"
            )
        require_apart(self.lesion_labels, self.ignore_labels)
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_empty_ignore(handler(self))

    @property
    def rule(self) -> LesionRule:
        """The part that says what a mask's values mean."""
        return LesionRule(
            lesion_labels=self.lesion_labels,
            ignore_labels=self.ignore_labels,
            other_labels=self.other_labels,
            mask_threshold=self.mask_threshold,
        )
