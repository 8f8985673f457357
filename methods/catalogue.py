"""From a method's name to its detector: class, hyper-parameters, untrained network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from andi_bench import config as configuration
from andi_bench import registry
from andi_bench.config import MethodEntry, RunConfig
from andi_bench.errors import UserError, unknown_name
from andi_bench.randomness import derive_seed
from methods.base import AnomalyDetector, DetectorConfig, ImageSpec, SliceDetector


def detector_class(name: str) -> type[AnomalyDetector]:
    """Return a method's class.

    Raises
    ------
    UserError
        For an unknown name, a module that cannot be imported, or a class that is no detector.
    """
    cls = registry.resolve(name, method_locations())
    if not issubclass(cls, AnomalyDetector):
        raise UserError(f"method '{name}': {cls.__qualname__} is not an AnomalyDetector")
    return cls


def method_locations() -> dict[str, str]:
    """Classes named by the files of ``configs/methods``."""
    entries = {name: configuration.method_entry(name) for name in configuration.names_in("methods")}
    return {name: entry.class_ for name, entry in entries.items() if entry and entry.class_}


def described_method(name: str) -> MethodEntry | None:
    """Return what is said of a method by the YAML beside its plug-in, or by ``configs/methods``; None where nothing is.

    Raises
    ------
    UserError
        For a file that cannot be read, an unknown key, or a value that does not fit.
    """
    path = registry.plugin_file(name)
    beside = path.with_suffix(".yaml") if path is not None else None
    if beside is not None and beside.is_file():
        values = _parts(beside)[0]
        if values:
            return configuration.validated(MethodEntry, values, str(beside))
    return configuration.method_entry(name)


def settings_beside(plugin: Path) -> dict[str, Any]:
    """Return the settings for every preset that the YAML beside a plug-in file has; {} where there is none.

    Raises
    ------
    UserError
        For a file that cannot be read, or a key that is neither a section's nor one of ``configs/methods``.
    """
    beside = plugin.with_suffix(".yaml")
    return _parts(beside)[1] if beside.is_file() else {}


def _parts(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a plug-in's YAML says as a file of ``configs/methods`` would, and its sections of settings."""
    values = configuration.read_yaml(path)
    fields = {field.alias or key for key, field in MethodEntry.model_fields.items()}
    for key in values:
        if key not in fields and key not in configuration.SECTIONS:
            raise unknown_name(f"key in {path}", str(key), {*fields, *configuration.SECTIONS})
    settings = {key: value for key, value in values.items() if key in configuration.SECTIONS}
    return {key: value for key, value in values.items() if key in fields}, settings


def detector_config(cls: type[AnomalyDetector], values: dict[str, Any]) -> DetectorConfig:
    """Validate a detector's hyper-parameters.

    Raises
    ------
    UserError
        For a hyper-parameter that is unknown or out of bounds.
    """
    return configuration.validated(
        cls.Config, values, f"configuration of '{cls.name}'", "detector."
    )


def described_run(cls: type[AnomalyDetector], run: RunConfig) -> dict[str, Any]:
    """Return a run's configuration with every field, the detector's hyper-parameters among them; fit for ``--config``.

    Raises
    ------
    UserError
        For a hyper-parameter that is unknown or out of bounds.
    """
    return run.described(detector_config(cls, run.detector).described())


def build_detector(
    cls: type[AnomalyDetector],
    values: dict[str, Any],
    spec: ImageSpec,
    seed: int,
    device: torch.device,
) -> AnomalyDetector:
    """Build an untrained detector; its network's weights depend on the seed alone.

    Raises
    ------
    UserError
        For a hyper-parameter that is unknown or out of bounds, or a modality that is missing.
    """
    detector = cls(detector_config(cls, values), spec)
    if isinstance(detector, SliceDetector) and detector.has_network():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            detector.net = detector.network()
        detector.net.eval()
    detector.to(device)
    return detector
