"""The configuration that a search starts from, and what becomes of it with other settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_core import to_jsonable_python

from andi_bench import config as configuration
from andi_bench.config import RunConfig
from benchmark.run.accelerator import default_preset
from benchmark.run.request import RunRequest
from methods.base import AnomalyDetector, DetectorConfig
from methods.catalogue import described_method, detector_class, detector_config


@dataclass(frozen=True)
class Resolved:
    """A whole configuration.

    Parameters
    ----------
    run : RunConfig
        All but the detector's part.
    detector : DetectorConfig
        The detector's.
    """

    run: RunConfig
    detector: DetectorConfig

    def value(self, key: str) -> Any:
        """Return the value of ``section.field``, as deep as the configuration goes, of types that JSON knows."""
        section, *fields = key.split(".")
        value: Any = self.detector if section == "detector" else getattr(self.run, section)
        for field in fields:
            value = getattr(value, field)
        return to_jsonable_python(value)

    def dump(self) -> dict[str, Any]:
        """Return it as ``--config`` takes it."""
        return self.run.described(self.detector.described())


class Base:
    """What ``run`` would do with a request, and with one more layer of configuration on top.

    Parameters
    ----------
    request : RunRequest
        Of the search.

    Raises
    ------
    UserError
        For an unknown method or preset, and a configuration that does not fit.
    """

    def __init__(self, request: RunRequest) -> None:
        self.method: type[AnomalyDetector] = detector_class(request.method)
        self.preset = request.preset or default_preset(request.device)
        self._request = request
        self._entry = described_method(request.method)
        self.plain = self.resolve({})

    def resolve(self, layer: dict[str, Any]) -> Resolved:
        """Return the configuration with a layer on top.

        Raises
        ------
        UserError
            For a layer that does not fit.
        """
        overrides = [*self._request.overrides, layer]
        run = configuration.load_run_config(
            self._entry, self.preset, overrides, self._request.method
        )
        return Resolved(run, detector_config(self.method, run.detector))
