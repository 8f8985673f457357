"""Hyper-parameters of a detector: a validated configuration, some of it read by scoring alone."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["DetectorConfig", "Field", "scoring_field"]


class DetectorConfig(BaseModel):
    """Base of every detector's hyper-parameters: unknown keys are refused, values are fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def scoring_field(default: Any, **constraints: Any) -> Any:
    """Declare a hyper-parameter that only scoring reads.

    A trained checkpoint is shared by all runs whose training agrees; a field declared so does not take part in
    what identifies the training. Arguments as for ``pydantic.Field``.
    """
    return Field(default, json_schema_extra={"affects": "scoring"}, **constraints)
