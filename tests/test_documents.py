"""README and docs: every link leads somewhere, every path they name exists, every command is one of ours."""

import re
import subprocess
import sys

import pytest
import typer
from support.places import ROOT

from andi_bench import registry
from benchmark.cli.app import app
from methods import baselines

DOCUMENTS = [
    *(
        ROOT / f"{name}.md"
        for name in ("README", "CHANGELOG", "CODE_OF_CONDUCT", "CONTRIBUTING", "SECURITY")
    ),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "splits" / "README.md",
]
PACKAGES = (
    "andi_bench",
    "benchmark",
    "configs",
    "datasets",
    "docs",
    "leaderboard",
    "methods",
    "perf",
    "tests",
)


def links(document):
    """Return the links of a document that lead to a file of the repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    return [link for link in found if not link.startswith(("http", "#"))]


def named(document):
    return document.relative_to(ROOT).as_posix()


CASES = [
    pytest.param(
        document,
        link,
        id=f"{named(document)}: {link}",
    )
    for document in DOCUMENTS
    for link in links(document)
]


@pytest.mark.parametrize(("document", "link"), CASES)
def test_a_link_leads_somewhere(document, link):
    path, _, heading = link.partition("#")
    target = (document.parent / path).resolve()
    assert target.exists()
    if heading:
        text = target.read_text(encoding="utf-8")
        slugs = [
            re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-")
            for h in re.findall(r"^#+ (.*)$", text, re.M)
        ]
        assert heading in slugs


@pytest.mark.parametrize(
    "document", [ROOT / "README.md", ROOT / "docs" / "architecture.md"], ids=named
)
def test_a_path_that_is_named_exists(document):
    text = document.read_text(encoding="utf-8")
    names = re.findall(rf"`((?:{'|'.join(PACKAGES)})/[\w./-]*)`", text)
    missing = [name for name in names if not (ROOT / name).exists()]
    assert [name for name in missing if name != "andi_bench/rooms/" and "NAME" not in name] == []


def of_tables(text):
    """Return the commands of tables whose second column goes on where its heading, a command, ends."""
    table = r"^\|[^|]*\| `python -m benchmark ?(\w*)` and \|\n\| --- \| --- \|\n((?:\|.*\n)+)"
    found = []
    for command, rows in re.findall(table, text, re.M):
        for row in rows.splitlines():
            found += [f"{command} {more}" for more in re.findall(r"`([^`]+)`", row.split("|")[2])]
    return found


def test_commands_of_tables_are_seen():
    heading = "| to | `python -m benchmark run` and |\n| --- | --- |\n"
    assert of_tables(f"{heading}| do `x` | `--a b`, `--c` |\n\n`d`") == ["run --a b", "run --c"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_a_command_that_is_shown_exists_with_its_options(document):
    group = typer.main.get_command(app)
    text = document.read_text(encoding="utf-8")
    shown = re.findall(r"(?:python -m benchmark|andi-bench) ([^`\n#]*)", text)
    in_tables = of_tables(text)
    assert {line.split()[0] for line in in_tables} <= set(group.commands)
    for line in [*shown, *in_tables]:
        words = line.replace("\\", " ").split()
        command = group
        while words and hasattr(command, "commands") and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        options = [word.split("=")[0] for word in words if word.startswith("--") and len(word) > 2]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert set(options) <= known, line


OF_OTHERS = {"--build-arg", "--fix", "--help", "--multi_gpu", "--nv", "--tsv", "--user"}
"""Options that documents name and that are not ours: everybody's, accelerate's, ruff's, containers', an example's."""


def options(command):
    found = {option for parameter in command.params for option in parameter.opts}
    for inner in getattr(command, "commands", {}).values():
        found |= options(inner)
    return found


def options_of_scripts(text):
    """Return the options of the measuring scripts that a document calls, python -m perf.NAME."""
    found = set()
    for name in re.findall(r"python -m perf\.(\w+)", text):
        code = (ROOT / "perf" / f"{name}.py").read_text(encoding="utf-8")
        found |= set(re.findall(r"""["'](--[a-z][a-z_-]+)["']""", code))
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_an_option_that_is_named_exists(document):
    text = document.read_text(encoding="utf-8")
    known = options(typer.main.get_command(app)) | options_of_scripts(text) | OF_OTHERS
    shown = {
        found
        for code in re.findall(r"`([^`\n]+)`", text)
        for found in re.findall(r"--[a-z][a-z_-]+", code)
    }
    assert shown - known == set()


def test_the_method_that_contributing_shows_passes_the_test_beside_it_and_the_linter(
    tmp_path, monkeypatch
):
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code, test = re.findall(r"```python\n(.*?)```", page, re.S)
    (tmp_path / "mean_deviation.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(baselines, "__path__", [*baselines.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "_registered", {registry.METHODS: {}})
    try:
        names = {}
        exec(test, names)
        names["test_the_score_is_the_squared_distance_to_the_mean"]()
    finally:
        sys.modules.pop("methods.baselines.mean_deviation", None)
    for name, text in (("methods/baselines/mean_deviation.py", code), ("tests/test_mean.py", test)):
        for check in (["check"], ["format", "--check"]):
            asked = [sys.executable, "-m", "ruff", *check, "--stdin-filename", name, "-"]
            found = subprocess.run(
                asked, cwd=ROOT, input=text, text=True, capture_output=True, check=False
            )
            assert found.returncode == 0, found.stdout
