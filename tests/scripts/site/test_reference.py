"""The reference names every command, option, field, method and data set, with what the code says of it."""

import re
from typing import Literal

import pytest
import typer
from pydantic import BaseModel, Field
from support.places import ROOT

from andi_bench.config import RunConfig, dataset_entry, names_in
from andi_bench.records.schema import RunRecord
from benchmark.cli.app import COMMANDS, app
from scripts.site.api import AREAS, api_pages
from scripts.site.catalogues import data_sets, methods
from scripts.site.commands import command_line
from scripts.site.settings import configuration, record
from scripts.site.tables import cell, field_rows, kind


def options(command):
    found = {option for one in command.params for option in one.opts if option.startswith("--")}
    for inner in getattr(command, "commands", {}).values():
        found |= options(inner)
    return found


def test_every_command_and_option_is_on_the_page():
    page = command_line()
    assert set(COMMANDS) | {"prepare"} <= set(re.findall(r"^## (\S+)$", page, re.M))
    wanted = options(typer.main.get_command(app)) - {"--help"}
    assert {one for one in wanted if not re.search(rf"`[^`]*{one}\b[^`]*`", page)} == set()


def test_every_field_of_the_configuration_is_on_the_page_with_its_meaning():
    page = configuration()
    for section, field in RunConfig.model_fields.items():
        for name, inner in getattr(field.annotation, "model_fields", {}).items():
            assert f"`{section}.{name}`" in page
            assert cell(inner.description or "") in page


def test_every_field_of_a_record_is_on_the_page():
    page = record()
    assert {name for name in RunRecord.model_fields if f"`{name}`" not in page} == set()


def test_methods_and_data_sets_are_on_their_pages_with_options_and_terms():
    page = methods()
    assert set(names_in("methods")) == set(re.findall(r"^## (\S+)$", page, re.M))
    assert "`detector.stride`" in page
    assert "https://arxiv.org/abs/2312.01904" in page
    assert "\n- `gmean`: exp of the mean" in page  # lists of docstrings stay lists
    page = data_sets()
    assert set(names_in("datasets")) == set(re.findall(r"^## (\S+)$", page, re.M))
    for name in names_in("datasets"):
        assert cell(dataset_entry(name).licence) in page


def test_every_module_of_an_area_has_its_place():
    pages = api_pages(ROOT)
    assert set(pages) == {f"reference/api/{name}.md" for name in AREAS}
    assert "::: methods.base\n" in pages["reference/api/detectors.md"]
    assert "::: andi_bench.metrics.points\n" in pages["reference/api/metrics.md"]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "int"),
        (float | None, "float or null"),
        (Literal["max", "mean"], "max or mean"),
        (tuple[str, ...], "list of str"),
        (tuple[float, float], "(float, float)"),
        (dict[str, int], "mapping of str to int"),
    ],
)
def test_types_in_words(annotation, words):
    assert kind(annotation) == words


def test_a_field_is_told_with_its_bounds_and_default():
    class Some(BaseModel):
        share: float = Field(0.5, gt=0, le=1, description="a | b")
        names: tuple[str, ...] = ()
        wanted: int

    assert field_rows(Some, "x.") == [
        ["`x.share`", "float, > 0, at most 1", "`0.5`", "a | b"],
        ["`x.names`", "list of str", "`[]`", ""],
        ["`x.wanted`", "int", "", ""],
    ]
    assert cell("a | b\n<c") == r"a \| b &lt;c"


def test_every_document_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [path.name for path in (ROOT / "docs").glob("*.md")]
    assert [name for name in pages if not re.search(rf"[ -] {re.escape(name)}$", text, re.M)] == []
