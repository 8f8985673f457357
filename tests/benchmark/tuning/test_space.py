"""The space file: every key and value held against the method's configuration, in one line where it does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_runs import request_of

from andi_bench.errors import UserError
from benchmark.tuning.base_settings import Base
from benchmark.tuning.space import Choice, Range, Space, layer, read_space


@pytest.fixture
def read(tmp_path):
    base = Base(request_of(tmp_path, tmp_path, "andi", preset="quick"))

    def read(text):
        path = tmp_path / "space.yaml"
        path.write_text(text)
        return read_space(path, base.method.Config, base.resolve)

    return read


def test_lists_and_ranges_are_read_as_the_configuration_has_them(read):
    space = read(
        "training: {learning_rate: {low: 1e-4, high: 1e-2, log: true}}\n"
        "detector.stride: {low: 2, high: 9, step: 3}\n"
        "training.weight_decay: [0, 1e-2]\n"
        "preprocessing.modalities: [[flair], [flair, t1]]\n"
    )
    assert space.record() == {
        "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "detector.stride": {"low": 2, "high": 8, "step": 3},
        "training.weight_decay": [0.0, 0.01],
        "preprocessing.modalities": [["flair"], ["flair", "t1"]],
    }
    assert space.parameters["detector.stride"].listed() == (2, 5, 8)
    assert space.size() is None


def test_fields_of_a_part_are_searched_one_by_one_or_the_part_as_a_whole(read):
    space = read(
        "training.augmentation.rotation: [0, 10]\n"
        "training: {augmentation: {noise: {low: 0.01, high: 0.1, log: true}}}\n"
    )
    assert space.record() == {
        "training.augmentation.rotation": [0.0, 10.0],
        "training.augmentation.noise": {"low": 0.01, "high": 0.1, "log": True},
    }
    assert layer({"training.augmentation.rotation": 10, "training.steps": 3}) == {
        "training": {"augmentation": {"rotation": 10}, "steps": 3}
    }
    whole = read("training.augmentation: [{}, {rotation: 10, noise: 0.1}]")
    assert whole.record() == {
        "training.augmentation": [{}, {"probability": 0.5, "rotation": 10.0, "noise": 0.1}]
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("detector.strides: [1]", r"detector.strides.*did you mean 'detector.stride'"),
        ("training.augmentation.rotaton: [1]", r"did you mean 'training.augmentation.rotation'"),
        ("training.augmentation.noise: [0.1, 7]", r"training.augmentation.noise = 7"),
        (
            "training.augmentation: [{}, {noise: 0.1}]\ntraining.augmentation.noise: [0.1]",
            "searched as a whole",
        ),
        ("stride: [1]", r"did you mean 'detector.stride'"),
        ("training.learning_rate: [1e-3, -1]", r"training.learning_rate = -1.*greater than 0"),
        ("training.learning_rate: {low: 0, high: 1}", r"learning_rate = 0.*greater than 0"),
        ("training.learning_rate: {low: 0, high: 1, log: true}", "low above 0 below high"),
        ("training.learning_rate: {low: 1, high: 0.1}", "low below high wanted"),
        ("training.learning_rate: {low: 0.1}", r"\{low: , high: "),
        ("training.learning_rate: {low: 0.1, hgih: 2}", "did you mean 'high'"),
        ("training.learning_rate: 0.1", r"a list of values \[a, b, c\]"),
        ("training.learning_rate: []", "one value or more"),
        ("training.learning_rate: [0.1, 0.1]", "each once"),
        ("training.steps: {low: 1.5, high: 3}", "low = 1.5: a whole number wanted"),
        ("training.optimizer: {low: 1, high: 3}", "is no number"),
        ("training.optimizer: [adam, sgd]", "training.optimizer = 'sgd'"),
        ("training.learning_rate: {low: 0.1, high: 1, log: true, step: 0.1}", "none beside log"),
        ("evaluation.bootstraps: [1, 2]", "changes no value that is searched by"),
        ("", "no key to search"),
        ("[1]", "a mapping of keys wanted"),
    ],
)
def test_what_does_not_fit_is_one_line(read, text, message):
    with pytest.raises(UserError, match=message) as caught:
        read(text)
    assert "space.yaml" in str(caught.value)


def test_a_value_that_only_does_not_go_with_another_searched_key_is_left_to_the_trials(read):
    with pytest.raises(UserError, match="t_low"):
        read("detector.t_low: [25, 130]")
    space = read("detector.t_low: [25, 130]\ndetector.t_high: [100, 150]")
    assert space.size() == 4


@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3), st.floats(0, 1))
def test_a_drawn_number_lies_within_its_limits(one, other, share):
    low, high = min(one, other), max(one, other) + 1e-3
    drawn = Range(low, high).drawn(low + share * (high - low))
    assert low <= drawn <= high
    assert Range(low, high).raw(drawn) is not None


def test_a_grid_has_every_setting_once():
    space = Space({"a.x": Choice((1, 2)), "a.y": Range(0.0, 0.3, step=0.1)})
    settings = list(space.grid())
    assert len(settings) == space.size() == 8
    assert [one["a.y"] for one in settings[:4]] == [0.0, 0.1, 0.2, 0.3]
    assert layer(settings[1]) == {"a": {"x": 1, "y": 0.1}}


def test_values_outside_a_space_have_no_place_in_it():
    stepped = Range(0.0, 1.0, step=0.25)
    assert (stepped.raw(0.5), stepped.raw(0.6), stepped.raw(1.5), stepped.raw(None)) == (
        (0.5, None, None, None)
    )
    assert Choice((None, 1.0)).raw(2) is None
    assert Choice((None, 1.0)).drawn(Choice((None, 1.0)).raw(None)) is None
