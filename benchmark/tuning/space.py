"""What a search may change: the space file, read and held against the configuration before anything starts."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from andi_bench.config import SECTIONS, RunConfig, merge, nested, read_yaml, scalar
from andi_bench.errors import UserError, unknown_name

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from benchmark.tuning.base_settings import Resolved

Settings = dict[str, Any]
"""Values by key, ``section.field``, or ``section.part.field`` as in ``training.augmentation.rotation``."""

_RANGE = ("low", "high", "log", "step")
_DIGITS = 4
"""Significant digits of a number that is drawn from a range: more tell nothing, and nobody can read them."""
_MOST_STEPS = 10_000
"""A range of more values counts as one without steps."""
_FORM = "a list of values [a, b, c], or {low: , high: , log: true, step: } wanted"


@dataclass(frozen=True)
class Choice:
    """A key that takes one of some values.

    Parameters
    ----------
    values : tuple
        Of types that JSON knows.
    """

    values: tuple[Any, ...]

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from: the values as JSON, for it takes no lists."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution([json.dumps(value) for value in self.values])

    def drawn(self, raw: Any) -> Any:
        """Return the value that Optuna's stands for."""
        return json.loads(raw)

    def raw(self, value: Any) -> Any:
        """Return Optuna's value for one; None where it is no value of this space."""
        text = json.dumps(value)
        return text if text in [json.dumps(known) for known in self.values] else None

    def tried(self) -> tuple[Any, ...]:
        """Return the values that a change of this key alone is checked with: all."""
        return self.values

    def listed(self) -> tuple[Any, ...] | None:
        """Return all values."""
        return self.values


@dataclass(frozen=True)
class Range:
    """A key that takes a number from low to high, both included.

    Parameters
    ----------
    low, high : float
        The limits.
    whole : bool
        Whether whole numbers are wanted.
    log : bool
        Whether it is drawn evenly in its logarithm.
    step : float or None
        Distance between values; None: any.
    """

    low: float
    high: float
    whole: bool = False
    log: bool = False
    step: float | None = None

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), self.log, int(self.step or 1))
        return FloatDistribution(self.low, self.high, self.log, self.step)

    def drawn(self, raw: Any) -> Any:
        """Return the value that Optuna's stands for: whole, or of few digits, and within the limits."""
        if self.whole:
            return int(raw)
        return min(max(float(f"{raw:.{_DIGITS}g}"), self.low), self.high)

    def raw(self, value: Any) -> Any:
        """Return Optuna's value for one; None where it is no value of this space."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        inside = self.low <= value <= self.high
        on_step = self.step is None or math.isclose(
            (value - self.low) / self.step, round((value - self.low) / self.step), abs_tol=1e-9
        )
        return value if inside and on_step else None

    def tried(self) -> tuple[Any, ...]:
        """Return the values that a change of this key alone is checked with: the limits."""
        return (self.drawn(self.low), self.drawn(self.high))

    def listed(self) -> tuple[Any, ...] | None:
        """Return all values, the step apart; None where there is no step, or too many."""
        step = self.step or (1 if self.whole and not self.log else None)
        if step is None:
            return None
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        if count > _MOST_STEPS:
            return None
        return tuple(self.drawn(self.low + k * step) for k in range(count))


@dataclass(frozen=True)
class Space:
    """The keys of a search, in the order of the file.

    Parameters
    ----------
    parameters : mapping of str to Choice or Range
        By key.
    """

    parameters: Mapping[str, Choice | Range]

    def record(self) -> dict[str, Any]:
        """Return it as it stands in the log."""
        out: dict[str, Any] = {}
        for key, found in self.parameters.items():
            out[key] = list(found.values) if isinstance(found, Choice) else _plain(found)
        return out

    def size(self) -> int | None:
        """Return the number of settings; None where there are more than can be counted."""
        counts = [found.listed() for found in self.parameters.values()]
        if any(values is None for values in counts):
            return None
        return math.prod(len(values) for values in counts if values is not None)

    def grid(self) -> Iterator[Settings]:
        """Yield all settings, the last key fastest; only where :meth:`size` is known."""
        lists = [found.listed() or () for found in self.parameters.values()]
        for values in itertools.product(*lists):
            yield dict(zip(self.parameters, values, strict=True))


def _plain(found: Range) -> dict[str, Any]:
    out: dict[str, Any] = {"low": found.low, "high": found.high}
    return out | ({"log": True} if found.log else {}) | ({"step": found.step} if found.step else {})


def layer(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as a layer of configuration: ``{"a.b.c": 1}`` as ``{"a": {"b": {"c": 1}}}``."""
    return merge(*(nested(key, value) for key, value in settings.items()))


def read_space(
    path: Path, detector: type[BaseModel], resolve: Callable[[dict[str, Any]], Resolved]
) -> Space:
    """Read a space file, and hold every key and value against the configuration.

    Parameters
    ----------
    path : Path
        YAML: ``section.field``, as deep as the configuration goes (or the fields below their section), to a list of values, or to a range
        ``{low: , high: , log: , step: }``.
    detector : type
        The method's own configuration.
    resolve : callable
        Builds the whole configuration with one more layer on top; raises UserError for a layer that does not fit.

    Raises
    ------
    UserError
        For a file without a key, a key that is unknown or changes no map, a form that is not understood, and a value
        that is out of bounds: one line that names file, key and value.
    """
    fields = _fields(detector)
    wanted = _flat(read_yaml(path), fields)
    if not wanted:
        raise UserError(
            f"{path}: no key to search: such as 'training.learning_rate: [1.0e-4, 1.0e-3]' wanted"
        )
    parameters: dict[str, Choice | Range] = {}
    for key, found in wanted.items():
        if key not in fields:
            raise unknown_name(f"key in {path}", key, fields)
        above = next((other for other in wanted if key.startswith(f"{other}.")), None)
        if above:
            raise UserError(f"{path}: {key}: {above} is searched as a whole: one of the two wanted")
        extra = fields[key].json_schema_extra
        if isinstance(extra, dict) and extra.get("separates_tables") is False:
            raise UserError(f"{path}: {key}: changes no value that is searched by: leave it out")
        parameters[key] = _parameter(f"{path}: {key}", found, fields[key].annotation)
    for key, parameter in parameters.items():
        related = any(k != key and k.split(".")[0] == key.split(".")[0] for k in parameters)
        values = tuple(_checked(path, key, v, resolve, related) for v in parameter.tried())
        if isinstance(parameter, Choice):
            parameters[key] = Choice(values)
    return Space(parameters)


def _checked(
    path: Path, key: str, value: Any, resolve: Callable[[dict[str, Any]], Resolved], related: bool
) -> Any:
    """Return a value as the configuration has it; one that does not fit is refused.

    One that only does not go with the value of another key may, where that is searched too.
    """
    try:
        return resolve(layer({key: value})).value(key)
    except UserError as error:
        cause = error.__cause__
        found = cause.errors() if isinstance(cause, ValidationError) else [{"loc": (key,)}]
        between = all(".".join(map(str, one["loc"])) in ("", *SECTIONS) for one in found)
        if not (between and related):
            raise UserError(f"{path}: {error}") from error
        return value


def _flat(found: Mapping[str, Any], fields: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return what stands below sections, and below parts of them, by its full key."""
    out: dict[str, Any] = {}
    for name, value in found.items():
        key = f"{above}{name}"
        holds_fields = key in SECTIONS or any(field.startswith(f"{key}.") for field in fields)
        out |= (
            _flat(value, fields, f"{key}.")
            if holds_fields and isinstance(value, dict)
            else {key: value}
        )
    return out


def _fields(detector: type[BaseModel]) -> dict[str, Any]:
    """Return every field of the configuration by its key."""
    out = _fields_of(detector, "detector.")
    for section in SECTIONS:
        model = RunConfig.model_fields[section].annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            out |= _fields_of(model, f"{section}.")
    return out


def _fields_of(model: type[BaseModel], above: str) -> dict[str, Any]:
    """Return the fields of a part of the configuration, and of its own parts; these parts as a whole too."""
    out: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        out[f"{above}{name}"] = field
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            out |= _fields_of(inner, f"{above}{name}.")
    return out


def _parameter(where: str, found: Any, annotation: Any) -> Choice | Range:
    if isinstance(found, list):
        values = tuple(scalar(value) for value in found)
        texts = [json.dumps(value, default=str) for value in values]
        if len(set(texts)) < len(texts) or not texts:
            raise UserError(f"{where} = {found}: one value or more, each once, wanted")
        return Choice(values)
    if not isinstance(found, dict):
        raise UserError(f"{where} = {found!r}: {_FORM}")
    for key in found:
        if key not in _RANGE:
            raise unknown_name(f"key of the range of {where}", str(key), _RANGE)
    if not {"low", "high"} <= set(found):
        raise UserError(f"{where} = {found}: {_FORM}")
    return _range(where, {key: scalar(value) for key, value in found.items()}, annotation)


def _range(where: str, found: dict[str, Any], annotation: Any) -> Range:
    kinds = set(get_args(annotation)) or {annotation}
    log = found.pop("log", False)
    if not kinds & {int, float}:
        raise UserError(f"{where}: is no number, so it has no range: a list of values wanted")
    if not isinstance(log, bool):
        raise UserError(f"{where}: log = {log!r}: true or false wanted")
    whole = float not in kinds
    numbers = {key: value for key, value in found.items() if value is not None}
    for key, value in numbers.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or (whole and value != int(value)):
            wanted = "a whole number" if whole else "a number"
            raise UserError(f"{where}: {key} = {value!r}: {wanted} wanted")
    low, high, step = numbers.get("low"), numbers.get("high"), numbers.get("step")
    if low is None or high is None or not low < high or (log and low <= 0):
        more = " above 0" if log else ""
        raise UserError(f"{where}: low = {low}, high = {high}: low{more} below high wanted")
    if step is not None and (log or not 0 < step <= high - low):
        wanted = "none beside log" if log else "above 0 and at most high - low"
        raise UserError(f"{where}: step = {step}: {wanted} wanted")
    if step is not None:  # so that the highest value is one of the steps
        high = low + step * math.floor((high - low) / step + 1e-9)
    return Range(low, high, whole, log, step)
