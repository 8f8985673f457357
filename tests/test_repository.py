"""What the repository as a whole keeps to: small files, versions that agree, old records that are read, nothing executed."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from support.places import ROOT

import andi_bench
from andi_bench.records.schema import IDENTITY, READABLE, SCHEMA
from andi_bench.records.store import read_record
from benchmark.evaluation.protocol import VERSION
from leaderboard.compare import compare
from leaderboard.exports.markdown import to_markdown
from leaderboard.statistics.family import Extra

LARGEST = 500 * 1024
PACKAGES = ("andi_bench", "benchmark", "datasets", "leaderboard", "methods")
FORMER = sorted((ROOT / "tests" / "support" / "former_records").glob("schema-*/*"))


def tracked():
    """Return the files that git knows; all files where there is no git."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git here: a copy of the sources")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in done.stdout.decode().split("\0") if name]


def test_no_file_is_larger_than_500_kib():
    sizes = {path: path.stat().st_size for path in tracked() if path.is_file()}
    assert {path.name: size for path, size in sizes.items() if size > LARGEST} == {}


def test_the_page_of_versions_says_what_the_code_says():
    page = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"^\| ([^|]+) \| ([\d.]+) \|", page, re.M))
    assert found == {
        "the package": andi_bench.__version__,
        "the run record's schema": str(SCHEMA),
        "the protocol": str(VERSION),
        "the identity": str(IDENTITY),
    }


def test_a_record_of_every_former_schema_is_kept():
    kept = {int(path.parent.name.removeprefix("schema-")) for path in FORMER}
    # of the first schema none was kept; tests of records make one
    assert kept == set(READABLE) - {1, SCHEMA}


@pytest.mark.parametrize(
    ("schema", "protocol", "raw", "filtered"),
    [(2, 1, 0.46849, 0.47413), (3, 1, 0.46849, 0.47413), (4, 2, 0.59399, 0.59349)],
)
def test_a_former_record_is_read_with_its_figures(schema, protocol, raw, filtered):
    (path,) = (one for one in FORMER if one.parent.name == f"schema-{schema}")
    record = read_record(path)
    assert record.protocol.version == protocol
    means = [chain.subjects["dice@val-dice"].mean for chain in record.summary.values()]
    assert means == pytest.approx([raw, filtered], abs=1e-5)


def test_former_records_stand_in_tables_apart():
    comparison = compare([path.parent for path in FORMER], extra=Extra(older=True))
    assert {table.protocol.version for table in comparison.tables} == {1, 2}
    rows = [row for table in comparison.tables for row in table.every]
    found = {round(row.figures["dice@val-dice"].value, 3) for row in rows}
    # version 1 averaged over two lesion-free subjects too: tables take the mean over the eight with a lesion
    assert found == {round(0.46849 * 10 / 8, 3), round(0.47413 * 10 / 8, 3), 0.594}
    assert "thresholding" in to_markdown(comparison)


FORBIDDEN = {
    "pickle.load",
    "pickle.loads",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "joblib.load",
    "eval",
    "exec",
    "os.system",
    "marshal.loads",
}
WANTED = {"torch.load": ("weights_only", "True"), "np.load": ("allow_pickle", "False")}
DEFAULT = {"allow_pickle": "False"}
"""What numpy does where nothing is said; torch has changed its default, so that it must be said."""


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_that_is_read_is_executed(package):
    """SECURITY.md: checkpoints, records, configurations and scans are data; only plug-ins are code."""
    wrong = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                given = {one.arg: ast.unparse(one.value) for one in node.keywords}
                key, value = WANTED.get(name, (None, None))
                if name in FORBIDDEN or (key and given.get(key, DEFAULT.get(key)) != value):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")
    assert wrong == []


def test_files_of_the_host_are_valid_yaml():
    files = [*(ROOT / ".github").rglob("*.yml"), ROOT / ".pre-commit-config.yaml"]
    assert len(files) >= 6
    for path in files:
        assert yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def test_the_workflows_call_targets_that_there_are():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    called = set()
    for path in [*(ROOT / ".github" / "workflows").glob("*.yml"), ROOT / "CONTRIBUTING.md"]:
        called |= set(re.findall(r"\bmake ([a-z]+)\b(?! it)", path.read_text(encoding="utf-8")))
    assert called <= targets


def test_every_python_that_is_promised_is_tried():
    tried = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    assert tried["jobs"]["quick"]["strategy"]["matrix"]["python"] == [
        "3.11",
        "3.12",
        "3.13",
        "3.14",
    ]
