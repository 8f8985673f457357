"""The base of every configuration, and what several of them have: a size of filters, what a job may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from andi_bench.console import read_duration
from andi_bench.errors import UserError

EVERY_FIELD = "every field"
"""Context of a dump for a record, which has to say what a configuration is loaded from."""
PUBLISHED_MM = (9.375, 9.375, 5.0)
"""The published median filter, mm: 5 voxels of 1.875 x 1.875 x 1 mm (ANDi, arXiv 2312.01904)."""

Compilation = Literal[False, True, "reduce-overhead"]
"""Whether a network is compiled by ``torch.compile``, and in its mode that captures CUDA graphs, one for each shape of input."""

MOST_VOXELS, MOST_MM = 15, 50.0


def _checked(value: Any) -> int | tuple[float, ...]:
    if isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer():
        if not 1 <= value <= MOST_VOXELS:
            raise ValueError(f"1 to {MOST_VOXELS} voxels wanted")
        if value % 2 == 0:
            raise ValueError("an odd number wanted: an even median shifts the map by half a voxel")
        return int(value)
    edges = tuple(value) if isinstance(value, list | tuple) else ()
    numbers = [e for e in edges if isinstance(e, int | float) and not isinstance(e, bool)]
    if len(edges) != 3 or len(numbers) != 3 or not all(0 < edge <= MOST_MM for edge in numbers):
        raise ValueError(
            f"an odd number of voxels wanted, or three edges above 0 and up to {MOST_MM:g} mm such as [9.375, 9.375, 5]"
        )
    return edges


MedianSize = Annotated[int | tuple[float, float, float], BeforeValidator(_checked)]
"""An edge in voxels, odd, for all three axes; or three edges in mm, which each grid turns into voxels of its own."""


class Section(BaseModel):
    """Base of every configuration: unknown keys are refused, values are fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def described(self) -> dict[str, Any]:
        """Return every field, for people and records; what names results is ``model_dump``."""
        return self.model_dump(mode="json", context=EVERY_FIELD)


class Resources(Section):
    """What a job may use; a method's YAML and the options of ``run`` say otherwise where a method needs more or less."""

    cpus: int | None = Field(
        None, gt=0, description="cores; null: 4, on this machine an equal share of its cores"
    )
    gpus: int | None = Field(
        None,
        ge=0,
        description="accelerators; null: 1 where a network is run and --device is not cpu",
    )
    memory: str = Field("16G", pattern=r"^[1-9]\d*[KMGT]$", description="such as 16G or 500M")
    time: str = Field("24h", description="most that a job may take, such as 2h, 30m or 2d")

    @field_validator("time")
    @classmethod
    def _time(cls, value: str) -> str:
        try:
            read_duration(value, "time")
        except UserError as error:
            raise ValueError(str(error)) from error
        return value

    @property
    def seconds(self) -> float:
        """The most that a job may take."""
        return read_duration(self.time, "time")

    @classmethod
    def of_options(cls, said: Mapping[str, Any]) -> Resources:
        """Return what the options of a command say; None says nothing.

        Raises
        ------
        UserError
            For a value that no cluster understands.
        """
        for name, value in said.items():
            if value is not None:
                try:
                    cls(**{name: value})
                except ValidationError as error:
                    wanted = cls.model_fields[name].description
                    raise UserError(f"--{name} {value}: {wanted} wanted") from error
        return cls().overruled(**said)

    def overruled(self, **said: Any) -> Resources:
        """Return these with what is said otherwise; None says nothing."""
        given = {key: value for key, value in said.items() if value is not None}
        return self.model_copy(update=given)
