"""From the command line's options to a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_plugins(paths: list[Path] | None) -> list[str]:
    """Import plug-in files, of methods and of data sets; return the names of the methods they register."""
    from andi_bench.registry import METHODS, load_plugin

    return [name for path in paths or [] for name in load_plugin(path)[METHODS]]


def evaluation_layer(grid: str | None, protocol: str | None) -> dict[str, str]:
    """Return what the options --grid and --protocol say, as a layer of the configuration."""
    from andi_bench.errors import unknown_name

    chosen = {}
    for key, value, valid in (
        ("grid", grid, ("working", "native")),
        ("protocol", protocol, ("standard", "paper")),
    ):
        if value is not None and value not in valid:
            raise unknown_name(key, value, valid)
        if value is not None:
            chosen[key] = value
    return chosen


def make_request(
    method: str,
    dataset: str,
    train_on: str | None,
    preset: str | None,
    split: str,
    subject: list[str] | None,
    data_root: Path | None,
    train_root: Path | None,
    splits: Path | None,
    workspace: Path | None,
    assignments: list[str] | None,
    config: Path | None,
    plugin: list[Path] | None,
    checkpoint: Path | None,
    device: str,
    workers: int | None,
    track: str | None,
    export: Path | None,
    evaluation: dict[str, str] | None = None,
) -> Any:
    """Return the :class:`benchmark.run.request.RunRequest` that the options ask for.

    Raises
    ------
    UserError
        For a choice that does not exist, or a configuration that cannot be read.
    """
    from andi_bench.config import parse_assignments, read_yaml
    from andi_bench.errors import unknown_name
    from andi_bench.registry import METHODS, registered_by
    from andi_bench.workspace import Workspace

    for kind, value, valid in (
        ("device", device, ("auto", "cpu", "cuda")),
        ("split", split, ("test", "val")),
        ("tracker", track, (None, "tensorboard", "wandb", "mlflow")),
    ):
        if value not in valid:
            raise unknown_name(kind, str(value), [name for name in valid if name])
    layers: list[dict[str, Any]] = []
    for path in plugin or []:  # a method's plug-in may bring its YAML beside it
        beside = path.with_suffix(".yaml")
        if beside.is_file() and registered_by(path)[METHODS]:
            layers.append(read_yaml(beside))
    if config is not None:
        layers.append(read_yaml(config))
    layers.append(parse_assignments(assignments or []))
    if evaluation:
        layers.append({"evaluation": evaluation})

    from benchmark.run.request import RunRequest

    return RunRequest(
        method=method, dataset=dataset, train_on=train_on, preset=preset, split=split,
        subjects=tuple(subject or ()), data_root=data_root, train_root=train_root, splits=splits,
        workspace=Workspace(workspace) if workspace else Workspace.default(), overrides=layers,
        checkpoint=checkpoint, device=device, workers=workers, tracker=track, export=export,
    )  # fmt: skip
