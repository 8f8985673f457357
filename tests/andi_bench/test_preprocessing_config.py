from __future__ import annotations

import pytest

from andi_bench.config import PreprocessingConfig, validated
from andi_bench.errors import UserError

FORMER = {
    "size": 128,
    "modalities": ["flair", "t1", "t1ce", "t2"],
    "quantile": 0.99,
    "clip": None,
    "quantile_off_lesion": False,
    "min_brain_fraction": 0.0,
    "store_dtype": "float32",
}
"""What named slices, maps and records before there was another normalisation."""


def test_what_is_published_keeps_its_name() -> None:
    assert PreprocessingConfig().model_dump(mode="json") == FORMER
    off = PreprocessingConfig(normalisation="p99-off-lesion")
    assert off.model_dump(mode="json") == {**FORMER, "quantile_off_lesion": True}


def test_every_step_is_named_that_is_not_as_published() -> None:
    dumps = [
        PreprocessingConfig(**values).model_dump_json()
        for values in (
            {},
            {"bias": "n4"},
            {"field_of_view": 192},
            {"field_of_view": 200},
            {"normalisation": "robust"},
            {"normalisation": "robust", "bias": "n4"},
            {"normalisation": "robust", "centre": 0.4},
            {"normalisation": "robust", "spread": 0.3},
            {"normalisation": "robust", "floor": 0.01},
            {"normalisation": "robust", "ceiling": 1.5},
            {"normalisation": "white-matter"},
            {"normalisation": "white-matter", "centre": 0.4},
            {"normalisation": "landmarks"},
            {"normalisation": "landmarks", "landmarks": [[0.1 * k for k in range(11)]] * 4},
        )
    ]
    assert len(set(dumps)) == len(dumps)


def test_what_is_not_used_names_nothing() -> None:
    plain = PreprocessingConfig().model_dump_json()
    assert (
        PreprocessingConfig(centre=0.4, spread=0.1, floor=0.3, ceiling=2).model_dump_json() == plain
    )


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"normalisation": "robust", "bias": "n4", "ceiling": 1.5},
        {"quantile": 0.98},
        {"field_of_view": 192},
        {"crop": "brain", "crop_box": ((0, 96), (8, 120))},
    ],
)
def test_a_record_gives_the_configuration_back(values: dict[str, object]) -> None:
    config = PreprocessingConfig(**values)
    assert PreprocessingConfig.model_validate(config.described()) == config
    assert set(config.described()) == set(PreprocessingConfig.model_fields)
    assert PreprocessingConfig.model_validate(config.model_dump(mode="json")) == config


def test_a_former_record_is_understood() -> None:
    assert PreprocessingConfig.model_validate(FORMER) == PreprocessingConfig()
    off = PreprocessingConfig.model_validate({**FORMER, "quantile_off_lesion": True})
    assert off.normalisation == "p99-off-lesion"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"normalisation": "p98"}, "preprocessing.normalisation = 'p98'"),
        (
            {"normalisation": "robust", "ceiling": 0.01},
            "ceiling = 0.01: more than floor = 0.02 wanted",
        ),
        ({"landmarks": [[0.0] * 11] * 4}, "landmarks of flair"),
        ({"landmarks": [[0.1 * k for k in range(11)]]}, "landmarks of 1 modality: those of"),
        ({"bias": "n3"}, "preprocessing.bias = 'n3'"),
    ],
)
def test_a_wrong_step_is_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as caught:
        validated(PreprocessingConfig, values, "here", "preprocessing.")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_words_say_what_was_done() -> None:
    assert PreprocessingConfig().intensities() == "p99"
    robust = PreprocessingConfig(normalisation="robust", bias="n4")
    assert robust.intensities() == "n4, robust (centre 0.5, spread 0.2, 0.02 to 1.6)"
