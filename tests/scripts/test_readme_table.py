"""The README's table and figures are those of the published runs."""

import csv
import io
import lzma
import re

import yaml
from support.places import ROOT

from andi_bench.records.store import read_record
from scripts.marked_place import parts
from scripts.readme_table import BEGIN, COLUMNS, LEADERBOARD, README, table


def test_the_table_is_cut_out_of_the_leaderboard():
    assert parts(README, BEGIN)[1] == table(), "python -m scripts.readme_table brings it up to date"


def test_it_has_the_methods_and_the_references():
    head, _, *rows = table().splitlines()
    assert all(name in head for name in COLUMNS)
    board = yaml.safe_load((ROOT / "configs" / "leaderboards" / "phantom.yaml").read_text("utf-8"))
    named = [_name(row.split(" | ")[1]) for row in rows]
    assert sorted(named) == sorted([*board["methods"], "nothing", "everything"])
    assert all(
        ("(reference" in row)
        == (name in {"random", "rim-distance", "t2-intensity", "nothing", "everything"})
        for row, name in zip(rows, named, strict=True)
    )


def _name(cell):
    return re.split(r"[](,]| \(", cell.lstrip("[*"))[0].strip()


def test_the_longer_training_is_the_published_one_of_the_same_method():
    """The column against the records themselves: the row's pipeline is the better one on validation subjects."""
    rows = [line.split(" | ") for line in table().splitlines()[2:]]
    shown = {_name(row[1]): (row[3].split()[0], row[3].split(", ")[-1]) for row in rows}
    runs = sorted((ROOT / "leaderboard" / "results" / "phantom-standard").glob("*__seed0__*"))
    assert runs
    for record in map(read_record, runs):
        reached = {
            chain: points["val-dice"].reached for chain, points in record.operating_points.items()
        }
        chain = max(reached, key=lambda one: reached[one])
        dice = record.summary[chain].subjects["dice@val-dice"].mean
        seeds = list(runs[0].parent.glob(f"{record.run.method}__*"))
        if record.costs.training_steps and len(seeds) == 1:
            maps = "raw" if chain == "raw" else "filtered"
            assert shown[record.run.method] == (f"{dice:.3f}", maps)
    assert shown["thresholding"][0] == shown["voxel-statistics"][0] == "–"  # no step was made


def test_the_number_of_seeds_is_that_of_the_leaderboard():
    seeds = re.compile(r"\b\d+(?: to \d+)? seeds?\b")
    (said,) = seeds.findall(README.read_text("utf-8").partition(BEGIN)[0])
    headline = re.search(r"^\*\*n = .*", LEADERBOARD.read_text("utf-8"), re.M)
    assert headline is not None
    assert said == seeds.findall(headline[0])[0]


def test_what_is_said_of_the_picture_is_what_the_published_run_has():
    said = re.search(
        r"\(Dice ([\d.]+); the mean of this training over (\d+) subjects is ([\d.]+)\)",
        README.read_text("utf-8"),
    )
    (run,) = (ROOT / "leaderboard" / "results" / "phantom").glob("andi__phantom__seed0__*")
    text = lzma.decompress((run / "subjects.csv.xz").read_bytes()).decode()
    dice = {
        row["subject"]: float(row["dice"])
        for row in csv.DictReader(io.StringIO(text))
        if row["point"] == "val-dice"
        and row["chain"] != "raw"
        and row["grid"] == "working"
        and float(row["lesion_ml"]) > 0
    }
    one, subjects, mean = dice["Phantom_test_005"], len(dice), sum(dice.values()) / len(dice)
    assert said.groups() == (f"{one:.2f}", str(subjects), f"{mean:.2f}")
