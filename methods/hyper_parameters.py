"""Hyper-parameters of a detector: a validated configuration, some of it read by scoring alone."""

from __future__ import annotations

from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from andi_bench.section import EVERY_FIELD

__all__ = ["DetectorConfig", "Field", "later_scoring_field", "read_by_training", "scoring_field"]

_SCORING = {"affects": "scoring"}
_LATER = {**_SCORING, "named": "unless default"}


class DetectorConfig(BaseModel):
    """Base of every detector's hyper-parameters: unknown keys are refused, values are fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def revision(self) -> dict[str, Any]:
        """Return what identifies how it is scored with settings that once meant something else; {} as a rule."""
        return {}

    def described(self) -> dict[str, Any]:
        """Return every hyper-parameter, for people and records; what names results is ``model_dump``."""
        return self.model_dump(mode="json", context=EVERY_FIELD)

    def left_out(self) -> tuple[str, ...]:
        """Return the hyper-parameters that name nothing and that older records leave out: later ones, at their default."""
        named = self.model_dump()
        return tuple(key for key in type(self).model_fields if key not in named)

    @model_serializer(mode="wrap")
    def _named_as_before(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """Leave out later fields that have their default: what was made before they were there keeps its name."""
        dumped: dict[str, Any] = handler(self)
        if info.context == EVERY_FIELD:
            return dumped
        return {
            key: value
            for key, value in dumped.items()
            if (field := type(self).model_fields[key]).json_schema_extra != _LATER
            or value != field.default
        }


def scoring_field(default: Any, **constraints: Any) -> Any:
    """Declare a hyper-parameter that only scoring reads.

    A trained checkpoint is shared by all runs whose training agrees; a field declared so does not take part in
    what identifies the training. Arguments as for ``pydantic.Field``.
    """
    return Field(default, json_schema_extra=dict(_SCORING), **constraints)


def later_scoring_field(default: Any, **constraints: Any) -> Any:
    """Declare a hyper-parameter that only scoring reads, of a method that there was without it.

    At its default it stands in no dump, so that maps and records made before are found again. Arguments as for
    ``pydantic.Field``.
    """
    return Field(default, json_schema_extra=dict(_LATER), **constraints)


def read_by_training(config: type[DetectorConfig], name: str) -> bool:
    """Whether a training depends on a field of a configuration."""
    declared = config.model_fields[name].json_schema_extra
    return not isinstance(declared, dict) or declared.get("affects") != "scoring"
