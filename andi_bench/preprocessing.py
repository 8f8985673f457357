"""The configuration of preprocessing, in named steps: bias field, normalisation, working grid."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from andi_bench.names import counted
from andi_bench.section import EVERY_FIELD, Section

Normalisation = Literal["p99", "p99-off-lesion", "robust", "landmarks", "white-matter"]
LANDMARKS = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)
"""Percentiles of the foreground that ``landmarks`` brings to common values (Nyul et al., 2000)."""
_PARAMETERS = {
    "robust": {"centre", "spread"},
    "landmarks": {"landmarks"},
    "white-matter": {"centre"},
}
_CROP = {"crop", "crop_box"}
_PUBLISHED = {"quantile", "clip"}
_OTHERS = {"normalisation", "floor", "ceiling"}
_STEPS = {"bias", "centre", "spread", "landmarks"} | _PUBLISHED | _OTHERS


class PreprocessingConfig(Section):
    """How a scan becomes slices; the same for training and scoring."""

    size: int = Field(128, ge=16, le=1024, description="edge of the working grid's axial plane")
    field_of_view: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="edge of that plane around the brain, mm; a larger brain gets a larger plane; null: all of the scan's plane, "
        "as published",
    )
    modalities: tuple[Literal["flair", "t1", "t1ce", "t2"], ...] = Field(
        ("flair", "t1", "t1ce", "t2"), min_length=1, description="channels, in order"
    )
    bias: Literal["none", "n4"] = Field(
        "none", description="n4: each modality is divided by its bias field before anything else"
    )
    normalisation: Normalisation = Field(
        "p99",
        description="p99: division by a quantile of the foreground, as published; p99-off-lesion: a training scan's "
        "quantile without its lesion; robust: median and inter-quartile range; landmarks: percentiles brought to those "
        "of the training split; white-matter: division by the white matter's peak",
    )
    quantile: float = Field(
        0.99,
        gt=0,
        le=1,
        description="p99: each modality is divided by this quantile of its voxels > 0",
    )
    centre: float = Field(
        0.5,
        gt=0,
        description="robust: where the median comes to lie; white-matter: where the peak does",
    )
    spread: float = Field(0.2, gt=0, description="robust: what the inter-quartile range becomes")
    floor: float = Field(
        0.02, ge=0, description="all but p99: the darkest that tissue may be; the background is 0"
    )
    ceiling: float = Field(1.6, gt=0, description="all but p99: the brightest that tissue may be")
    landmarks: tuple[tuple[float, ...], ...] | None = Field(
        None,
        description="landmarks: for each modality where the percentiles 1, 10, 20 ... 90, 99 come to lie; null: learnt "
        "from the training split",
    )
    clip: float | None = Field(
        None,
        gt=0,
        description="p99: intensities above this are cut after the division; null: no cut",
    )
    min_brain_fraction: float = Field(
        0.0, ge=0, lt=1, description="least share of brain in a healthy training slice"
    )
    store_dtype: Literal["float32", "float16"] = Field(
        "float32", description="number format of the slice store"
    )
    crop: Literal["none", "brain"] = Field(
        "none",
        description="brain: detectors learn from and score a box of the working grid that holds the brains of the training "
        "split; maps come back on the whole grid",
    )
    crop_box: tuple[tuple[int, int], tuple[int, int]] | None = Field(
        None,
        description="crop: first voxel and the one after the last, along x and y; null: found from the training split",
    )

    @field_validator("modalities")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("each modality once wanted")
        return value

    @model_validator(mode="before")
    @classmethod
    def _former_name(cls, values: Any) -> Any:
        # Records of before say so what is a normalisation of its own now.
        if isinstance(values, dict) and "quantile_off_lesion" in values:
            values = dict(values)
            if values.pop("quantile_off_lesion"):
                values.setdefault("normalisation", "p99-off-lesion")
        return values

    @model_validator(mode="after")
    def _agree(self) -> PreprocessingConfig:
        if self.ceiling <= self.floor:
            raise ValueError(f"ceiling = {self.ceiling:g}: more than floor = {self.floor:g} wanted")
        self._check_box()
        if self.landmarks is None:
            return self
        if len(self.landmarks) != len(self.modalities):
            raise ValueError(
                f"landmarks of {counted(len(self.landmarks), 'modality', 'modalities')}: those of {', '.join(self.modalities)} wanted"
            )
        for name, values in zip(self.modalities, self.landmarks, strict=True):
            if len(values) != len(LANDMARKS) or sorted(set(values)) != list(values):
                raise ValueError(
                    f"landmarks of {name} = {list(values)}: {len(LANDMARKS)} rising numbers wanted"
                )
        return self

    def _check_box(self) -> None:
        if self.crop_box is None:
            return
        if self.crop == "none":
            raise ValueError("crop_box without crop = brain: both or neither wanted")
        for axis, (low, high) in zip("xy", self.crop_box, strict=True):
            if not 0 <= low < high <= self.size:
                raise ValueError(
                    f"crop_box along {axis} = {low} to {high}: within 0 to {self.size} wanted"
                )

    @model_serializer(mode="wrap")
    def _named_as_before(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """Leave out what is not used: what was made before a field was there keeps its name."""
        out: dict[str, Any] = handler(self)
        if info.context == EVERY_FIELD:
            return out
        if self.crop == "none":
            out = {key: value for key, value in out.items() if key not in _CROP}
        used = _PUBLISHED if self.published else _OTHERS | _PARAMETERS[self.normalisation]
        kept = {key: v for key, v in out.items() if key not in _STEPS or key in used}
        if self.bias != "none":
            kept["bias"] = self.bias
        if self.field_of_view is None:
            kept.pop("field_of_view")
        if self.published:
            kept["quantile_off_lesion"] = self.normalisation == "p99-off-lesion"
        return kept

    @property
    def published(self) -> bool:
        """Whether intensities are divided by a quantile, as the ANDi publication does."""
        return self.normalisation in ("p99", "p99-off-lesion")

    @property
    def plane(self) -> tuple[int, int]:
        """Edges of the slices that detectors are given, voxels along x and y: of the box, where one is cut out."""
        if self.crop_box is None:
            return self.size, self.size
        (left, right), (front, back) = self.crop_box
        return right - left, back - front

    def intensities(self) -> str:
        """Return bias field and normalisation in words, with the parameters that are used."""
        used = {
            "robust": f"centre {self.centre:g}, spread {self.spread:g}",
            "white-matter": f"peak at {self.centre:g}",
        }.get(self.normalisation, "" if self.quantile == 0.99 else f"quantile {self.quantile:g}")
        if not self.published:
            used = ", ".join(filter(None, (used, f"{self.floor:g} to {self.ceiling:g}")))
        elif self.clip is not None:
            used = ", ".join(filter(None, (used, f"clip {self.clip:g}")))
        name = f"{self.normalisation} ({used})" if used else self.normalisation
        return name if self.bias == "none" else f"{self.bias}, {name}"
