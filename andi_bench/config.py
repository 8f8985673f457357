"""Validated configuration: presets, one YAML file a method, one a data set, ``--set key=value`` on top."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from andi_bench.errors import UserError, unknown_name
from andi_bench.place import package_data

M = TypeVar("M", bound=BaseModel)

SECTIONS = ("preprocessing", "detector", "training", "scoring", "evaluation")


class Section(BaseModel):
    """Base of every configuration: unknown keys are refused, values are fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PreprocessingConfig(Section):
    """How a scan becomes slices; the same for training and scoring."""

    size: int = Field(128, ge=16, le=1024, description="edge of the working grid's axial plane")
    modalities: tuple[Literal["flair", "t1", "t1ce", "t2"], ...] = Field(
        ("flair", "t1", "t1ce", "t2"), min_length=1, description="channels, in order"
    )
    quantile: float = Field(
        0.99, gt=0, le=1, description="each modality is divided by this quantile of its voxels > 0"
    )
    clip: float | None = Field(
        None, gt=0, description="intensities above this are cut after the division; null: no cut"
    )
    quantile_off_lesion: bool = Field(
        False,
        description="compute a training scan's quantile off its lesion, which otherwise leaks",
    )
    min_brain_fraction: float = Field(
        0.0, ge=0, lt=1, description="least share of brain in a healthy training slice"
    )
    store_dtype: Literal["float32", "float16"] = Field(
        "float32", description="number format of the slice store"
    )

    @field_validator("modalities")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("each modality once wanted")
        return value


class TrainingConfig(Section):
    """The engine's training loop. The first of steps, epochs and minutes that is reached ends it."""

    steps: int | None = Field(None, gt=0, description="optimiser steps")
    epochs: float | None = Field(None, gt=0, description="passes over the slices")
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
    flip: bool = Field(False, description="random left-right flips")
    checkpoint_minutes: float = Field(2.0, gt=0, description="time between checkpoints")


class ScoringConfig(Section):
    """How volumes are scored. The batch size changes speed, never a map."""

    batch_size: int = Field(
        64,
        gt=0,
        description="slices scored at once",
        json_schema_extra={"separates_tables": False},
    )
    reduction: Literal["max", "mean"] = Field("max", description="over modalities")


class EvaluationConfig(Section):
    """Post-processing, grid and statistics, the same for every method of a comparison.

    Each field says whether runs that differ in it stand in tables of their own (``separates_tables``).
    """

    median: int = Field(
        5,
        ge=1,
        le=15,
        description="edge of the 3-D median filter, voxels, odd",
        json_schema_extra={"separates_tables": True},
    )
    erosion: int = Field(
        0,
        ge=0,
        le=10,
        description="voxels taken off the brain mask, for all",
        json_schema_extra={"separates_tables": True},
    )
    min_component_ml: float = Field(
        0.0,
        ge=0,
        description="smaller detections are removed",
        json_schema_extra={"separates_tables": True},
    )
    bootstraps: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="resamples of the subjects",
        json_schema_extra={"separates_tables": False},
    )
    grid: Literal["working", "native"] = Field(
        "working",
        description="native: measure also on each scan's own grid, against its untouched mask",
        json_schema_extra={"separates_tables": False},
    )
    exact: bool = Field(
        False,
        description="count pooled AP and AUROC exactly, in two more passes over the maps",
        json_schema_extra={"separates_tables": False},
    )
    protocol: Literal["standard", "paper"] = Field(
        "standard",
        description="paper: also by the protocol of the ANDi publication's code",
        json_schema_extra={"separates_tables": False},
    )
    paper_window: tuple[float, float] | None = Field(
        None,
        description="threshold sweep of the paper's protocol; null: the method's published one",
        json_schema_extra={"separates_tables": False},
    )
    paper_min_max: bool | None = Field(
        None,
        description="scale all maps to [0, 1] in the paper's protocol; null: as published",
        json_schema_extra={"separates_tables": False},
    )
    previews: int = Field(
        8,
        ge=0,
        le=1000,
        description="subjects whose reduced scan, maps and lesion the record keeps for viewers; 0: none",
        json_schema_extra={"separates_tables": False},
    )

    @field_validator("paper_window")
    @classmethod
    def _window(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[1] - value[0] < 0.001:
            raise ValueError("(low, high) with high at least low + 0.001 wanted")
        return value

    @field_validator("median")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("an odd number wanted: an even median shifts the map by half a voxel")
        return value


class RunConfig(Section):
    """Everything a run is made of, but for the detector's own hyper-parameters."""

    preprocessing: PreprocessingConfig = PreprocessingConfig()
    training: TrainingConfig = TrainingConfig()
    scoring: ScoringConfig = ScoringConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    detector: dict[str, Any] = Field(default_factory=dict)


class MethodEntry(Section):
    """What ``configs/methods/<name>.yaml`` says of a method."""

    class_: str = Field("", alias="class", description="module:Class; '' for plug-ins")
    title: str = ""
    paper: str = ""
    year: int | None = None
    family: str = ""
    learns_from: str = ""
    windows: dict[str, tuple[float, float]] = Field(
        default_factory=dict, description="threshold sweep of the published configuration"
    )
    published_min_max: bool = Field(
        True, description="whether the published code scales this method's maps to [0, 1]"
    )
    defaults: dict[str, dict[str, Any]] = Field(default_factory=dict)
    presets: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)


class DatasetEntry(Section):
    """What ``configs/datasets/<name>.yaml`` says of a data set."""

    class_: str = Field(
        "", alias="class", description="module:Class of its adapter; '' for plug-ins"
    )
    title: str = ""
    description: str = ""
    licence: str = ""
    citation: str = ""
    root_variable: str | None = Field(
        None, description="environment variable with the data's folder"
    )
    trained_on: str | None = Field(
        None, description="data set that detectors learn from; null: itself"
    )
    healthy_source: Literal["patients", "healthy people"] = "patients"
    options: dict[str, Any] = Field(default_factory=dict, description="the adapter's own fields")


def names_in(folder: str) -> list[str]:
    """Names of the YAML files in a folder of ``configs``."""
    return sorted(path.stem for path in (package_data("configs") / folder).glob("*.yaml"))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    UserError
        When the file is missing, is not YAML, or holds something else than a mapping.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}: not valid YAML{where}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UserError(f"{path}: a mapping of keys wanted, {type(found).__name__} found")
    return found


def validated(model: type[M], values: dict[str, Any], where: str, prefix: str = "") -> M:
    """Build a model, turning what pydantic finds into one line that names key, value and what is wanted.

    Raises
    ------
    UserError
        Names ``where``, the full key, the value found and the value wanted.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = prefix + ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise unknown_name(f"key in {where}", key, _keys(model, prefix)) from error
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        message = first["msg"].removeprefix("Value error, ")
        raise UserError(f"{where}: {key} = {first['input']!r}: {message}{more}") from error


def _keys(model: type[BaseModel], prefix: str) -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += _keys(inner, f"{prefix}{name}.")
        else:
            keys.append(f"{prefix}{field.alias or name}")
    return keys


def method_entry(name: str) -> MethodEntry | None:
    """Return what the configuration says of a method; None where it has no file."""
    path = package_data("configs") / "methods" / f"{name}.yaml"
    return validated(MethodEntry, read_yaml(path), str(path)) if path.is_file() else None


def dataset_entry(name: str) -> DatasetEntry:
    """Return what the configuration says of a data set.

    Raises
    ------
    UserError
        For a name without a file, with the nearest one.
    """
    path = package_data("configs") / "datasets" / f"{name}.yaml"
    if not path.is_file():
        raise unknown_name("dataset", name, names_in("datasets"))
    return validated(DatasetEntry, read_yaml(path), str(path))


def merge(*layers: dict[str, Any]) -> dict[str, Any]:
    """Merge nested mappings; what comes later wins, key by key."""
    out: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, dict) and isinstance(out.get(key), dict):
                out[key] = merge(out[key], value)
            else:
                out[key] = value
    return out


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """Turn ``["training.steps=5"]`` into ``{"training": {"steps": 5}}``; values are read as YAML.

    Raises
    ------
    UserError
        For text without ``=``, a key without its section, or a value that is not YAML.
    """
    out: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        section, dot, field = key.strip().partition(".")
        if not equals or not key.strip():
            raise UserError(f"--set {text}: key=value wanted, such as training.steps=500")
        if not dot or not field or section not in SECTIONS:
            near = difflib.get_close_matches(section, SECTIONS, n=1)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            raise UserError(
                f"--set {text}: a key starts with its section{hint}: "
                f"{', '.join(f'{name}.' for name in SECTIONS)}"
            )
        try:
            parsed = _scalar(yaml.safe_load(value))
        except yaml.YAMLError as error:
            raise UserError(f"--set {text}: the value is not valid YAML") from error
        out = merge(out, {section: {field: parsed}})
    return out


def _scalar(value: Any) -> Any:
    # YAML 1.1 reads 1e-3 as a string; a person who types it means the number.
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def load_run_config(
    entry: MethodEntry | None,
    preset: str,
    overrides: list[dict[str, Any]],
    method: str,
) -> RunConfig:
    """Resolve a run's configuration: preset, method, method's preset, then the user's own layers.

    Parameters
    ----------
    entry : MethodEntry or None
        The method's file, if it has one.
    preset : str
        Name of a file in ``configs/presets``.
    overrides : list of dict
        The user's YAML file and ``--set`` values, weakest first.
    method : str
        For messages.

    Raises
    ------
    UserError
        For an unknown preset or key, or a value out of bounds.
    """
    path = package_data("configs") / "presets" / f"{preset}.yaml"
    if not path.is_file():
        raise unknown_name("preset", preset, names_in("presets"))
    layers: list[dict[str, Any]] = [read_yaml(path)]
    if entry is not None:
        layers += [entry.defaults, entry.presets.get(preset, {})]
    where = f"configuration of '{method}' (preset {preset})"
    return validated(RunConfig, merge(*layers, *overrides), where)
