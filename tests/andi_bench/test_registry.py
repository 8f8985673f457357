"""Plug-ins: found by name, refused in one line."""

import pytest

from andi_bench import registry
from andi_bench.errors import UserError
from benchmark.training.trained import detector_class

PLUGIN = """
from methods.base import AnomalyDetector, register

@register("{name}")
class Mine(AnomalyDetector):
    pass
"""


@pytest.fixture(autouse=True)
def clean_registry(monkeypatch):
    monkeypatch.setattr(
        registry, "_registered", {k: dict(v) for k, v in registry._registered.items()}
    )


def test_a_plugin_file_registers_a_method_that_is_found_by_name(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN.format(name="mine"))
    assert registry.load_plugin(path) == {registry.METHODS: ["mine"], registry.DATASETS: []}
    assert detector_class("mine").name == "mine"


def test_an_unknown_method_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'thresholding'"):
        detector_class("tresholding")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "registers nothing"),
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("def f(:", "SyntaxError"),
        (PLUGIN.format(name="Bad Name"), "lower-case"),
        ("1/0", "ZeroDivisionError"),
    ],
)
def test_a_plugin_that_cannot_work_says_why_in_one_line(tmp_path, text, words):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        registry.load_plugin(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_plugin_file_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        registry.load_plugin(tmp_path / "absent.py")


def test_a_name_is_taken_once(tmp_path):
    for k in (1, 2):
        path = tmp_path / f"p{k}.py"
        path.write_text(PLUGIN.format(name="twice"))
    registry.load_plugin(tmp_path / "p1.py")
    with pytest.raises(UserError, match="'twice' is taken by .*p1.py"):
        registry.load_plugin(tmp_path / "p2.py")
