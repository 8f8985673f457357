"""The base of every configuration, and a kind of value that several of them have."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

PUBLISHED_MM = (9.375, 9.375, 5.0)
"""The published median filter, mm: 5 voxels of 1.875 x 1.875 x 1 mm (ANDi, arXiv 2312.01904)."""

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
