"""From a method's name to its detector: class, hyper-parameters, untrained network."""

from __future__ import annotations

from typing import Any

import torch

from andi_bench import config as configuration
from andi_bench import registry
from andi_bench.errors import UserError
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
