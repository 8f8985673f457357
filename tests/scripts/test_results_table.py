"""The real scans' figures in docs/results.md are those of the published runs."""

import re

from support.places import ROOT

from andi_bench.records.store import read_record
from scripts.marked_place import found
from scripts.results_table import BEGIN, PAGE, PLAIN, RESULTS, SETS, text


def test_the_table_is_made_of_the_published_runs():
    assert found(PAGE, BEGIN) == text(), "python -m scripts.results_table brings it up to date"


def test_it_has_every_method_that_was_run_on_real_scans():
    named = {line.split(" | ")[0].strip("| ") for line in text().splitlines() if " / " in line}
    runs = [
        path.name.split("__")[0] for folder, *_ in SETS for path in (RESULTS / folder).glob("*__*")
    ]
    assert named == set(runs) >= {*PLAIN, "andi"}


def test_what_is_ahead_of_thresholding_has_the_higher_figure():
    cells = {
        line.split(" | ")[0].strip("| "): [cell.split(" / ")[1] for cell in line.split(" | ")[2:]]
        for line in text().splitlines()
        if " / " in line
    }
    lists = [line for line in text().splitlines() if line.startswith("- ")]
    for place, line in enumerate(lists):
        ahead = re.findall(r"`([\w-]+)`", line)
        value = {name: float(row[place].strip("| ")) for name, row in cells.items()}
        assert [value[name] for name in ahead] == sorted((value[n] for n in ahead), reverse=True)
        assert all(
            (value[name] > value["thresholding"]) == (name in ahead)
            for name in value
            if name not in PLAIN
        )


def test_what_is_said_of_two_trainings_is_what_they_have():
    said = re.search(r"two of `(\w+)` have (\.\d+) and (\.\d+)", PAGE.read_text(encoding="utf-8"))
    runs = sorted((ROOT / "leaderboard/results/brats21-pilot").glob(f"{said[1]}__*"))
    filtered = [[*read_record(run).summary.values()][1].pooled.ap for run in runs]
    assert [f"{value:.3f}"[1:] for value in filtered] == [said[2], said[3]]
