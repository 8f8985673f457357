"""Plug-ins: found by name, refused in one line."""

import pytest

from andi_bench import registry
from andi_bench.errors import UserError
from methods.catalogue import detector_class

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


def test_an_edited_helper_of_a_plug_in_makes_another_method(tmp_path, monkeypatch):
    import sys

    from andi_bench import registry

    monkeypatch.syspath_prepend(str(tmp_path))
    names = {group: dict(found) for group, found in registry._registered.items()}
    monkeypatch.setattr(registry, "_registered", names)
    helper = tmp_path / "helper_of_a_plugin.py"
    helper.write_text("def weight():\n    return 1\n")
    (tmp_path / "helped.py").write_text(
        "import numpy\nfrom helper_of_a_plugin import weight\n"
        "from andi_bench.registry import register\n\n"
        "@register('helped')\nclass Helped:\n    factor = weight()\n"
    )
    registry.load_plugin(tmp_path / "helped.py")
    found = registry.registered()["helped"]
    before = registry.source_hash(found)
    helper.write_text("def weight():\n    return 2\n")
    assert registry.source_hash(found) != before
    sys.modules.pop("helper_of_a_plugin")
