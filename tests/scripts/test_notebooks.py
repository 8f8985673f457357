"""Notebooks are committed as they were executed, and say the same when they are executed again."""

import json
import re

import pytest
from support.places import ROOT

from scripts.site.notebooks import page

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def printed(content):
    """Return what the cells of a notebook print and show, tables with times left out."""
    found = []
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            found.append("".join(text))
    return "".join(found)


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["phantom", "statistics"]


@each_notebook
def test_a_notebook_was_executed_to_its_end_without_an_error(path):
    cells = [
        one for one in json.loads(path.read_text("utf-8"))["cells"] if one["cell_type"] == "code"
    ]
    assert [one["execution_count"] for one in cells] == list(range(1, len(cells) + 1))
    outputs = [output for one in cells for output in one["outputs"]]
    assert [one for one in outputs if one["output_type"] == "error"] == []
    assert "Traceback" not in json.dumps(outputs)


@each_notebook
def test_a_notebook_names_no_place_of_the_machine_it_ran_on(path):
    assert not re.search(r"(/(home|root|tmp|work)/|\.venv/)", path.read_text("utf-8"))


@each_notebook
def test_a_notebook_becomes_a_page_with_its_pictures(path):
    text, pictures = page(path)
    assert text.startswith("# ")
    assert pictures
    assert all(f"]({name})" in text for name in pictures)
    assert all(content.startswith(b"\x89PNG") for content in pictures.values())


@pytest.mark.slow
@each_notebook
def test_a_notebook_says_the_same_when_it_is_executed_again(path):
    pytest.importorskip("nbclient", reason="the extra [docs] is not installed: make docs")
    pytest.importorskip("ipykernel", reason="the extra [docs] is not installed: make docs")
    from scripts.notebooks import executed

    before = printed(json.loads(path.read_text(encoding="utf-8")))
    assert printed(json.loads(executed(path))) == before
