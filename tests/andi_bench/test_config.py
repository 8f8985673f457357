"""Configuration: layers in their order, and one helpful line for every mistake."""

import pytest

from andi_bench import config
from andi_bench.config import MethodEntry, RunConfig
from andi_bench.errors import UserError
from andi_bench.training_config import AugmentationConfig


def test_later_layers_win_key_by_key():
    entry = MethodEntry.model_validate(
        {
            "class": "x:Y",
            "defaults": {"training": {"steps": 10, "batch_size": 4}},
            "presets": {"quick": {"training": {"steps": 20}}},
        }
    )
    overrides = [
        {"training": {"learning_rate": 0.5}},
        config.parse_assignments(["training.steps=30"]),
    ]
    run = config.load_run_config(entry, "quick", overrides, "x")
    assert (run.training.steps, run.training.batch_size, run.training.learning_rate) == (30, 4, 0.5)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("training.learning_rate=1e-3", 1e-3),
        ("training.steps=null", None),
        ("training.flip=true", True),
        ("preprocessing.modalities=[flair]", ["flair"]),
        ("training.augmentation.gamma=3e-1", 0.3),
        ("detector.a.b=x", "x"),
    ],
)
def test_values_on_the_command_line_mean_what_a_person_means(text, value):
    parsed = config.parse_assignments([text])
    for part in text.partition("=")[0].split("."):
        parsed = parsed[part]
    assert parsed == value


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("steps=5", "starts with its section"),
        ("trainng.steps=5", "did you mean 'training'"),
        ("training.steps", "key=value wanted"),
        ("training.stpes=5", "did you mean 'training.steps'"),
        ("training.steps=-5", "training.steps = -5"),
        ("training.steps=many", "training.steps = 'many'"),
        ("evaluation.median=4", "odd"),
        ("evaluation.median=17", "evaluation.median = 17: 1 to 15 voxels"),
        ("evaluation.median=[9, 9]", "evaluation.median = [9, 9]: an odd number of voxels"),
        ("evaluation.median=[9, 9, 0]", "three edges above 0"),
        ("evaluation.median=.inf", "evaluation.median = inf"),
        ("evaluation.median=wide", "evaluation.median = 'wide'"),
        ("evaluation.median=true", "evaluation.median = True"),
        ("training.augmentation.gama=1", "did you mean 'training.augmentation.gamma'"),
        ("training.augmentation.noise=2", "training.augmentation.noise = 2"),
        ("preprocessing.size=3", "preprocessing.size = 3"),
        ("preprocessing.modalities=[flare]", "modalities"),
        ("scoring.reduction=sum", "reduction"),
        ("training.steps=[", "not valid YAML"),
    ],
)
def test_a_mistake_in_a_key_or_value_is_one_line_that_names_it(assignment, words):
    with pytest.raises(UserError) as caught:
        config.load_run_config(None, "quick", [config.parse_assignments([assignment])], "andi")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_preset_and_dataset_name_the_nearest():
    with pytest.raises(UserError, match="did you mean 'quick'"):
        config.load_run_config(None, "quik", [], "andi")
    with pytest.raises(UserError, match="did you mean 'phantom'"):
        config.dataset_entry("fantom")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"a: [", "not valid YAML"), (b"- 1", "mapping"), (b"\xff\xfe\x00", "cannot be read")],
)
def test_a_configuration_file_that_cannot_be_read_is_named(tmp_path, content, words):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        config.read_yaml(path)
    assert "mine.yaml" in str(caught.value)


@pytest.mark.parametrize("name", config.names_in("methods"))
@pytest.mark.parametrize("preset", config.names_in("presets"))
def test_every_shipped_method_resolves_under_every_preset(name, preset):
    from methods.catalogue import detector_class

    entry = config.method_entry(name)
    run = config.load_run_config(entry, preset, [], name)
    assert isinstance(run, RunConfig)
    cls = detector_class(name)
    config.validated(cls.Config, run.detector, name, "detector.")
    assert cls.name == name


@pytest.mark.parametrize("name", config.names_in("methods"))
def test_standard_is_quick_with_four_times_its_training(name):
    entry = config.method_entry(name)
    quick = config.load_run_config(entry, "quick", [], name).model_dump()
    standard = config.load_run_config(entry, "standard", [], name).model_dump()
    assert standard["training"].pop("steps") == 4 * quick["training"].pop("steps")
    assert standard == quick


@pytest.mark.parametrize("name", config.names_in("methods"))
def test_fast_differs_from_quick_in_scoring_alone_so_that_they_share_a_training(name):
    from methods.base import ImageSpec
    from methods.catalogue import detector_class, detector_config

    entry, cls, learnt = config.method_entry(name), detector_class(name), []
    for preset in ("quick", "fast"):
        run = config.load_run_config(entry, preset, [], name)
        spec = ImageSpec(run.preprocessing.modalities, run.preprocessing.plane)
        detector = cls(detector_config(cls, run.detector), spec)
        learnt.append((detector.training_config(), run.training, run.preprocessing))
    assert learnt[0] == learnt[1]


def test_what_a_method_says_of_a_preset_that_extends_another_comes_last():
    entry = config.MethodEntry.model_validate(
        {
            "class": "a.b:C",
            "presets": {
                "quick": {"training": {"steps": 20}},
                "standard": {"training": {"steps": 30}},
            },
        }
    )
    assert config.load_run_config(entry, "standard", [], "c").training.steps == 30
    assert (
        config.load_run_config(entry, "standard", [{"training": {"steps": 7}}], "c").training.steps
        == 7
    )


@pytest.mark.parametrize("name", config.names_in("datasets"))
def test_every_shipped_dataset_file_is_valid(name):
    entry = config.dataset_entry(name)
    assert entry.title
    assert entry.trained_on is None or entry.trained_on in config.names_in("datasets")


def test_every_field_of_the_configuration_is_described():
    undescribed = [
        key
        for section in (
            config.PreprocessingConfig,
            config.EvaluationConfig,
            config.ScoringConfig,
            AugmentationConfig,
        )
        for key, field in section.model_fields.items()
        if not field.description
    ]
    assert undescribed == []
