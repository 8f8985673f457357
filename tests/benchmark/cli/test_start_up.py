"""Start-up: light, and honest about packages that take our names."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from support.places import ROOT

from benchmark.cli.app import app


def python(code: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True
    )


LOADED = """
import json, sys
from benchmark.door import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], {"torch", "numpy", "pandas", "nilearn", "pydantic", "matplotlib"}),
        (["run", "--help"], {"torch", "numpy", "pandas", "nilearn", "matplotlib"}),
        (["compare", "--records", "no-such-folder"], {"torch", "nilearn", "sklearn", "matplotlib"}),
        (["methods"], {"torch", "nilearn", "sklearn", "matplotlib"}),
        (["datasets"], {"torch", "nilearn", "sklearn", "matplotlib"}),
    ],
)
def test_commands_import_only_what_they_need(arguments, heavy):
    done = python(LOADED, *arguments)
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert loaded & heavy == set()


@pytest.mark.parametrize("room", ["datasets", "methods", "benchmark", "leaderboard"])
def test_another_package_of_one_of_our_names_does_not_come_in_the_way(tmp_path, room):
    (tmp_path / room).mkdir()
    (tmp_path / room / "__init__.py").write_text("raise RuntimeError('not ours')")
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1))\n"
        "from andi_bench.__main__ import main; main()"
    )
    done = python(code, str(tmp_path), "methods", "--json")
    assert done.returncode == 0
    assert "thresholding" in done.stdout


def commands(group, name=""):
    """Yield every command with its full name."""
    for part, command in group.commands.items():
        full = f"{name} {part}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, full)
        else:
            yield full, command


def test_every_command_and_every_option_says_what_it_does():
    found = dict(commands(typer.main.get_command(app)))
    assert {"run", "train", "evaluate", "compare", "show", "methods", "datasets", "test"} <= set(
        found
    )
    silent = [name for name, command in found.items() if not command.help]
    silent += [
        f"{name} {option.opts[0]}"
        for name, command in found.items()
        for option in command.params
        if option.param_type_name == "option" and not option.help
    ]
    assert silent == []


def test_help_is_there_at_once():
    """Within half a second on a machine that does nothing else; the best of five, and some leeway for one that does."""
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        assert python(LOADED, "--help").returncode == 0
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < 1.0
