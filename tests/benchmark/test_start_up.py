"""Start-up: light, and honest about packages that take our names."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True
    )


LOADED = """
import json, sys
from benchmark.cli import main
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
def test_a_package_that_takes_our_name_is_named_in_one_line(tmp_path, room):
    (tmp_path / room).mkdir()
    (tmp_path / room / "__init__.py").write_text("x = 1")
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); import andi_bench; andi_bench.main()"
    done = python(code, str(tmp_path), "--help")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"another package named '{room}'" in line
    assert str(tmp_path) in line


def test_every_file_of_configuration_is_package_data():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert project["package-dir"] == {
        "benchmark._configs": "configs",
        "benchmark._splits": "splits",
    }
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for room in ("benchmark", "datasets", "leaderboard", "methods")
        for path in (ROOT / room).rglob("__init__.py")
    }
    assert packages <= set(project["packages"])
