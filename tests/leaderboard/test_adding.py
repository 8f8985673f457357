"""One entry is enough: a metric, an operating point, a figure and an export appear everywhere that the others do."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.places import ROOT
from support.small_evaluation import record_of

from andi_bench.metrics import catalogue, points
from andi_bench.metrics.metric import Metric
from andi_bench.metrics.points import OperatingPoint
from leaderboard.exports import formats

BLOCK = re.compile(r"```python (file|entry)=(\S+)\n(.*?)```", re.DOTALL)
OWN = ("andi_bench", "benchmark", "configs", "datasets", "leaderboard", "methods", "tests")


def detected_ml(case) -> float:
    return float(case.detection.sum()) * case.voxel_ml


def above_median(scores, brain):
    import numpy as np

    threshold = float(np.median(scores[brain]))
    return (scores > threshold) & brain, threshold


@pytest.fixture
def entries(monkeypatch):
    metric = Metric(
        key="detected_ml",
        title="Detected volume",
        definition="What is detected.",
        unit="ml",
        higher_is_better=False,
        measure=detected_ml,
        digits=2,
    )
    point = OperatingPoint(
        name="median",
        definition="The median of the brain.",
        how="the median of each brain",
        where="the median of each brain",
        source="volume",
        detect=above_median,
    )
    monkeypatch.setitem(catalogue.CATALOGUE, metric.key, metric)
    monkeypatch.setitem(points.POINTS, point.name, point)


@pytest.fixture
def records(entries, tmp_path):
    folder = tmp_path / "records"
    for method, skill in (("good", 3.0), ("poor", 0.5)):
        record_of(folder, method, skill, test=("t0", "t1", "t2", "t4", "t6", "t8"))
    return folder


@pytest.fixture
def shown(cli, records, tmp_path):
    """What ``compare`` writes of records that were made with one more metric and one more point."""
    out = tmp_path / "out"
    answer = cli(
        "compare",
        "--records",
        records,
        "--markdown",
        out / "t.md",
        "--csv",
        out / "t.csv",
        "--html",
        out / "t.html",
        "--pipeline",
        "raw",
        "--json",
    )
    assert answer.code == 0, answer.err
    page = (out / "t.html").read_text(encoding="utf-8")
    return {
        "json": json.loads(answer.out)["tables"][0],
        "csv": list(csv.DictReader(io.StringIO((out / "t.csv").read_text(encoding="utf-8")))),
        "markdown": (out / "t-details.md").read_text(encoding="utf-8"),
        "page": json.loads(re.search(r'id="content">(.*?)</script>', page)[1]),
        "html": page,
    }


def test_a_metric_added_by_one_entry_is_measured_recorded_and_compared(records, shown, cli):
    key = "detected_ml@val-dice"
    folder = next(records.glob("good__*"))
    lines = list(csv.DictReader((folder / "subjects.csv").open()))
    values = [
        float(line["detected_ml"])
        for line in lines
        if (line["chain"], line["point"]) == ("raw", "val-dice")
    ]
    assert len(values) == 6
    record = json.loads((folder / "record.json").read_text())
    mean = record["summary"]["raw"]["subjects"][key]["mean"]
    assert mean == pytest.approx(sum(values) / len(values))
    assert key in record["groups"]["site"][0]["results"]["raw"]["subjects"]
    row = next(r for r in shown["json"]["rows"] if (r["method"], r["pipeline"]) == ("good", "raw"))
    assert row[key] == mean
    assert shown["json"]["definitions"]["Detected volume (ml)"] == "What is detected."
    assert {f"{key}_low", f"{key}_median", f"{key}_undefined"} <= set(shown["csv"][0])
    assert "Detected volume (ml)" in shown["markdown"]
    assert f" {mean:.2f} " in shown["markdown"]
    for table in shown["page"]["tables"]:
        assert "Detected volume (ml)" in [column["header"] for column in table["columns"]]
    (base,) = shown["page"]["bases"]
    assert all(row["subjects"][key] for row in base["rows"])
    assert "detected_ml" in [column["key"] for column in shown["page"]["subject_columns"]]
    ranked = json.loads(cli("compare", "--records", records, "--metric", key, "--json").out)
    found = [row[key] for row in ranked["tables"][0]["rows"]]
    assert found == sorted(found)
    grouped = cli("compare", "--records", records, "--by", "site", "--json").out
    assert key in json.loads(grouped)["groups"][0]


def test_an_operating_point_added_by_one_entry_is_measured_recorded_and_compared(
    records, shown, cli
):
    key = "dice@median"
    folder = next(records.glob("good__*"))
    record = json.loads((folder / "record.json").read_text())
    assert record["operating_points"]["raw"]["median"]["how"] == "the median of each brain"
    lines = list(csv.DictReader((folder / "subjects.csv").open()))
    assert sum(line["point"] == "median" for line in lines) == 2 * 6
    row = next(r for r in shown["json"]["rows"] if (r["method"], r["pipeline"]) == ("good", "raw"))
    assert row[key] == record["summary"]["raw"]["subjects"][key]["mean"] > 0
    assert shown["json"]["definitions"]["Dice@median"] == "Mean Dice at the median of each brain."
    assert key in shown["csv"][0]
    assert "**Dice@median**" in shown["markdown"]
    assert shown["page"]["points"]["median"] == "The median of the brain."
    assert "<dt><code>median</code></dt>" in shown["html"]
    table = shown["page"]["tables"][0]
    (column,) = [c for c in table["columns"] if c["header"] == "Dice@median"]
    assert column["points"] == ["median"]
    (base,) = shown["page"]["bases"]
    assert all(row["subjects"][key] for row in base["rows"])
    assert cli("compare", "--records", records, "--metric", key).code == 0
    assert "the median of each brain" in cli("show", folder).out


def test_an_export_added_by_one_entry_is_an_option(records, tmp_path, monkeypatch):
    from typer.main import get_command

    from benchmark.cli.compare import compare_command

    def titles(comparison) -> str:
        return "".join(f"{table.title}\n" for table in comparison.tables)

    added = formats.Export("table-titles", "write the titles", ".txt", text=titles)
    monkeypatch.setitem(formats.EXPORTS, added.option, added)
    import typer

    app = typer.Typer()
    app.command()(compare_command())
    out = tmp_path / "titles.txt"
    get_command(app).main(
        ["--records", str(records), "--table-titles", str(out)], standalone_mode=False
    )
    assert out.read_text() == "Drawn maps\n"


def test_an_entry_without_a_function_is_refused():
    with pytest.raises(ValueError, match="either text or write"):
        formats.Export("x", "nothing", ".x")
    with pytest.raises(ValueError, match="nothing says how it is found"):
        OperatingPoint(name="x", definition="", how="", where="")


# --- the examples of the documentation, followed to the letter in a copy of the tree ---


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the packages, to be edited as the documentation says."""
    target = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", "results", "*.png", "*.svg")
    for name in OWN:
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    return target


def follow(page: str, checkout: Path) -> list[str]:
    """Do what a page of the documentation says; return the files that were touched."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    touched = []
    imports = re.findall(r"`(from \S+ import \w+)`", text)
    for kind, name, code in BLOCK.findall(text):
        path = checkout / name
        touched.append(name)
        if kind == "file":
            assert not path.exists()
            path.write_text(code, encoding="utf-8")
            continue
        source = path.read_text(encoding="utf-8")
        begin = re.search(r"^_ENTRIES.*= \($", source, re.MULTILINE).end()
        end = source.index("\n)\n", begin)
        entry = code.strip().removesuffix(",")
        source = f"{source[:end]}\n{entry},{source[end:]}"
        for line in imports:
            if line.split()[-1] + "." in entry:
                start = "from __future__ import annotations\n"
                source = source.replace(start, f"{start}\n{line}", 1)
        path.write_text(source, encoding="utf-8")
    return touched


def python(checkout: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": f"{checkout}:{checkout / 'tests'}", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=checkout,
        capture_output=True,
        text=True,
        env=environment,
    )


MAKE = (
    "import sys; from pathlib import Path; from support.small_evaluation import record_of\n"
    "for method, skill in (('good', 3.0), ('poor', 0.5)): record_of(Path(sys.argv[1]), method, skill)"
)


@pytest.fixture(scope="module")
def followed(checkout, tmp_path_factory) -> dict[str, object]:
    """Follow every page, make records with the edited tree, and compare them."""
    pages = ("add-a-metric.md", "add-a-figure.md", "add-an-export.md")
    touched = {page: follow(page, checkout) for page in pages}
    out = tmp_path_factory.mktemp("out")
    made = python(checkout, "-c", MAKE, out / "records")
    assert made.returncode == 0, made.stderr
    done = python(
        checkout,
        "-m",
        "benchmark",
        "compare",
        "--records",
        out / "records",
        "--tsv",
        out / "t.tsv",
        "--figures",
        out / "figures",
        "--markdown",
        out / "t.md",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    return {"touched": touched, "out": out, "json": json.loads(done.stdout), "err": done.stderr}


def test_the_pages_touch_as_few_files_as_they_say(followed):
    counts = {page: len(files) for page, files in followed["touched"].items()}
    # the page on metrics adds a metric (a function and an entry) and an operating point (an entry)
    assert counts == {"add-a-metric.md": 3, "add-a-figure.md": 2, "add-an-export.md": 2}
    for page in followed["touched"]:
        assert len((ROOT / "docs" / page).read_text().splitlines()) < 75


def test_the_documented_metric_and_point_work(followed):
    rows = followed["json"]["tables"][0]["rows"]
    assert all(row["volume_error@val-dice"] >= 0 for row in rows)
    assert all(0 < row["dice@val-fpr10"] <= 1 for row in rows)
    assert all(row["test_fpr@val-fpr10"] is not None for row in rows)
    definitions = followed["json"]["tables"][0]["definitions"]
    assert "Volume error (ml)" in definitions
    assert "FPR on test (1 %, 5 %, 10 %)" in definitions


def test_the_documented_export_works(followed):
    out = followed["out"]
    lines = (out / "t.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("data set\t#\tMethod")
    assert len({line.count("\t") for line in lines}) == 1
    assert f"written: {out / 't.tsv'}" in followed["err"]


def test_the_documented_figure_works(followed):
    out = followed["out"]
    assert (out / "figures" / "drawn-mean-median.svg").stat().st_size > 1000
    (shown,) = [
        line
        for line in (out / "t-details.md").read_text(encoding="utf-8").splitlines()
        if "(figures/drawn-mean-median.svg)" in line
    ]
    assert shown.startswith("![Mean and median over subjects. A point a method")
    assert "n = 3 with a lesion, 1 without" in shown


def test_the_help_lists_every_export_at_once_and_without_anything_heavy():
    code = (
        "import sys\nfrom benchmark.door import main\n"
        "try: main(['compare', '--help'])\nexcept SystemExit: pass\n"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = python(ROOT, "-c", code)
    assert all(f"--{option}" in done.stdout for option in formats.EXPORTS)
    heavy = {"torch", "numpy", "pandas", "nilearn", "matplotlib", "jinja2"}
    assert not heavy & set(done.stderr.splitlines()[-1].split())
