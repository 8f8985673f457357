"""What a record says of its configuration: every field, so that no preset says it otherwise when the run is made again."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from andi_bench import config
from andi_bench.config import RunConfig
from methods.catalogue import described_run, detector_class

PRESETS = config.names_in("presets")


def fields_of(model: type[BaseModel], said: dict) -> list[str]:
    """Return the fields of a configuration that a dump leaves out."""
    left_out = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if name not in said:
            left_out.append(name)
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            left_out += [f"{name}.{key}" for key in fields_of(inner, said[name])]
    return left_out


@pytest.mark.parametrize("name", config.names_in("methods"))
def test_a_recorded_configuration_is_the_same_under_every_preset(name):
    cls, entry = detector_class(name), config.method_entry(name)
    for preset in PRESETS:
        said = described_run(cls, config.load_run_config(entry, preset, [], name))
        assert fields_of(RunConfig, said) == []
        assert fields_of(cls.Config, said["detector"]) == []
        for other in PRESETS:
            again = config.load_run_config(entry, other, [said], name)
            assert described_run(cls, again) == said, (preset, other)


def test_no_preset_overrules_what_stood_at_its_default(monkeypatch, tmp_path):
    """Also of a preset to come, that sets everything which the present ones leave alone."""
    said = RunConfig().described({})
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "bold.yaml").write_text(
        "preprocessing: {bias: n4, crop: brain, field_of_view: 192}\n"
        "training: {sampling: balanced, published_epochs: true, accumulate: 2, compile: true, cache: none,\n"
        "  augmentation: {gamma: 0.2, probability: 0.3}}\n"
        "scoring: {calibration: quantile, deviations: darker, precision: bf16, compile: true, published_outside: true}\n"
        "evaluation: {median: 1, exact: true, bootstraps: 7, paper_window: [0.1, 0.2]}\n"
    )
    monkeypatch.setattr(config, "package_data", lambda folder: tmp_path)
    assert config.load_run_config(None, "bold", [said], "x") == RunConfig()


def test_what_names_results_leaves_out_as_before_what_came_later():
    dumped = RunConfig().model_dump(mode="json")
    assert dumped["scoring"] == {"batch_size": "auto", "reduction": "max"}
    later = {"augmentation", "sampling", "compile", "published_epochs", "accumulate", "cache"}
    assert not later & dumped["training"].keys()
    assert not {"crop", "crop_box", "bias", "field_of_view"} & dumped["preprocessing"].keys()
