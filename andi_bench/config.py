"""Validated configuration: presets, one YAML file a method, one a data set, ``--set key=value`` on top."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    BaseModel,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
)

from andi_bench.errors import UserError, reason, unknown_name
from andi_bench.place import package_data
from andi_bench.preprocessing import PreprocessingConfig as PreprocessingConfig
from andi_bench.publications.publication import Cited
from andi_bench.section import EVERY_FIELD, PUBLISHED_MM, Compilation, MedianSize, Resources
from andi_bench.section import Section as Section
from andi_bench.training_config import TrainingConfig as TrainingConfig

M = TypeVar("M", bound=BaseModel)

SECTIONS = ("preprocessing", "detector", "training", "scoring", "evaluation")
_LENGTHS = ("steps", "epochs", "minutes")
_TOGETHER: dict[str, Any] = {"separates_tables": False}
_APART: dict[str, Any] = {"separates_tables": True}


class ScoringConfig(Section):
    """How volumes are scored. The batch size changes speed, never a map."""

    batch_size: Annotated[int, Field(gt=0)] | Literal["auto"] = Field(
        "auto",
        description="inputs given to the network at once: slices, of ANDi also their time steps and draws; auto: as many as "
        "the accelerator's memory holds, few on a CPU. Halved where memory does not suffice",
        json_schema_extra=_TOGETHER,
    )
    precision: Literal["auto", "float32", "bf16"] = Field(
        "auto",
        description="of the network's arithmetic; auto: bf16 where an accelerator has it, float32 elsewhere",
        json_schema_extra=_TOGETHER,
    )
    compile: Compilation = Field(
        False,
        description="torch.compile the network; needs a compiler. reduce-overhead: capture CUDA graphs too, on a GPU",
        json_schema_extra=_TOGETHER,
    )
    reduction: Literal["max", "mean", "first", "flair", "t1", "t1ce", "t2"] = Field(
        "max",
        description="over modalities: their highest score, their mean, the score of the first that is read (FLAIR, where "
        "preprocessing.modalities does not say otherwise), or that of one by name",
    )
    calibration: Literal["none", "quantile"] = Field(
        "none",
        description="quantile: before the reduction a modality's score becomes minus the decimal logarithm of the share of "
        "healthy validation voxels that score as much",
    )
    deviations: Literal["both", "brighter", "darker"] = Field(
        "both",
        description="which voxels count of a method that compares a scan with what it expects: those that are brighter or "
        "darker than expected, those that are brighter, or those that are darker",
    )
    published_outside: bool = Field(
        False,
        description="score all slices and keep what lies outside the brain mask, as published: for --protocol paper",
    )

    @model_serializer(mode="wrap")
    def _as_before(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """Leave out what is off: what was named before it was there keeps its name."""
        dumped: dict[str, Any] = handler(self)
        kept = ("batch_size", "reduction") if info.context != EVERY_FIELD else tuple(dumped)
        fields = type(self).model_fields
        return {k: v for k, v in dumped.items() if k in kept or v != fields[k].default}


class EvaluationConfig(Section):
    """Post-processing, grid and statistics, the same for every method of a comparison.

    Each field says whether runs that differ in it stand in tables of their own (``separates_tables``).
    """

    median: MedianSize = Field(
        PUBLISHED_MM,
        description="3-D median filter: three edges in mm, which become the nearest odd numbers of voxels, or one edge in "
        "voxels; 1: none",
        json_schema_extra=_APART,
    )
    erosion: int = Field(
        0,
        ge=0,
        le=10,
        description="voxels taken off the brain mask, for all",
        json_schema_extra=_APART,
    )
    min_component_ml: float = Field(
        0.0, ge=0, description="smaller detections are removed", json_schema_extra=_APART
    )
    bootstraps: int = Field(
        1000, ge=0, le=100_000, description="resamples of the subjects", json_schema_extra=_TOGETHER
    )
    grid: Literal["working", "native"] = Field(
        "working",
        description="native: measure also on each scan's own grid, against its untouched mask",
        json_schema_extra=_TOGETHER,
    )
    exact: bool = Field(
        False,
        description="count pooled AP and AUROC exactly, in two more passes over the maps",
        json_schema_extra=_TOGETHER,
    )
    protocol: Literal["standard", "paper"] = Field(
        "standard",
        description="paper: also by the protocol of the ANDi publication's code",
        json_schema_extra=_TOGETHER,
    )
    paper_window: tuple[float, float] | None = Field(
        None,
        description="threshold sweep of the paper's protocol; null: the method's published one",
        json_schema_extra=_TOGETHER,
    )
    paper_min_max: bool | None = Field(
        None,
        description="scale all maps to [0, 1] in the paper's protocol; null: as published",
        json_schema_extra=_TOGETHER,
    )
    previews: int = Field(
        8,
        ge=0,
        le=1000,
        description="subjects whose reduced scan, maps and lesion the record keeps for viewers; 0: none",
        json_schema_extra=_TOGETHER,
    )

    @field_validator("paper_window")
    @classmethod
    def _window(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[1] - value[0] < 0.001:
            raise ValueError("(low, high) with high at least low + 0.001 wanted")
        return value


class RunConfig(Section):
    """Everything a run is made of, but for the detector's own hyper-parameters."""

    preprocessing: PreprocessingConfig = PreprocessingConfig()
    training: TrainingConfig = TrainingConfig()
    scoring: ScoringConfig = ScoringConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    detector: dict[str, Any] = Field(default_factory=dict)

    def described(self, detector: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return every field, fit for ``--config``, with all of the detector's own: under any preset it gives this run again."""
        out = super().described()
        return out if detector is None else {**out, "detector": detector}


class MethodEntry(Cited, Section):
    """What ``configs/methods/<name>.yaml`` says of a method."""

    class_: str = Field("", alias="class", description="module:Class; '' for plug-ins")
    title: str = ""
    paper: str = ""
    year: int | None = None
    family: str = ""
    learns_from: str = ""
    chance: bool | None = Field(
        None,
        description="whether its maps depend on the seed; null: told by what it learns from",
    )
    windows: dict[str, tuple[float, float]] = Field(
        default_factory=dict, description="threshold sweep of the published configuration"
    )
    published_min_max: bool = Field(
        True, description="whether the published code scales this method's maps to [0, 1]"
    )
    resources: Resources = Resources()
    defaults: dict[str, dict[str, Any]] = Field(default_factory=dict)
    presets: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)


class DatasetEntry(Cited, Section):
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
    simulated: bool = Field(False, description="whether its brains are made, not scanned")
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
        raise UserError(f"{path}: cannot be read ({reason(error)})") from error
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
            parsed = scalar(yaml.safe_load(value))
        except yaml.YAMLError as error:
            raise UserError(f"--set {text}: the value is not valid YAML") from error
        out = merge(out, nested(key.strip(), parsed))
    return out


def nested(key: str, value: Any) -> dict[str, Any]:
    """Return a value below its dotted key: ``{"a": {"b": 1}}`` for ``a.b``."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def scalar(value: Any) -> Any:
    """Return a value read from YAML 1.1, which takes 1e-3 for text; a person who types it means the number."""
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
    where = f"configuration of '{method}' (preset {preset})"
    return validated(RunConfig, merge(_of_preset(preset, entry), *overrides), where)


def _of_preset(preset: str, entry: MethodEntry | None) -> dict[str, Any]:
    """Return what a preset and a method's file say together.

    A preset that ``extends`` another takes what that one gives the method, its training ``longer`` times as long, and
    puts its own keys on top: so a method that is tuned for one is tuned for both.
    """
    path = package_data("configs") / "presets" / f"{preset}.yaml"
    if not path.is_file():
        raise unknown_name("preset", preset, names_in("presets"))
    own = read_yaml(path)
    base, longer = own.pop("extends", None), own.pop("longer", 1)
    defaults, methods_own = (entry.defaults, entry.presets.get(preset, {})) if entry else ({}, {})
    if base is None:
        return merge(own, defaults, methods_own)
    found = _of_preset(base, entry)
    training = {
        key: longer * value
        for key, value in found.get("training", {}).items()
        if key in _LENGTHS and value is not None
    }
    return merge(found, {"training": training}, own, methods_own)
