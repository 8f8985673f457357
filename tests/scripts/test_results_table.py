"""The real scans' figures in docs/results.md are those of the published runs."""

import re
from statistics import fmean

import pytest
from support.places import ROOT

from andi_bench.records.store import read_record
from scripts.marked_place import parts
from scripts.results_table import BEGIN, PAGE, PLAIN, RESULTS, SETS, text


def test_the_table_is_made_of_the_published_runs():
    assert parts(PAGE, BEGIN)[1] == text(), "python -m scripts.results_table brings it up to date"


def test_it_has_every_method_that_was_run_on_real_scans():
    named = {line.split(" | ")[0].strip("| ") for line in text().splitlines() if " / ." in line}
    runs = [
        path.name.split("__")[0] for folder, *_ in SETS for path in (RESULTS / folder).glob("*__*")
    ]
    assert named == set(runs) >= {*PLAIN, "andi"}


@pytest.mark.parametrize("place", range(len(SETS)))
def test_what_is_ahead_of_thresholding_has_the_higher_figure(place):
    """Either list against the records: those named lie above thresholding, highest first, and no other learnt one."""
    folder, own_grid, title = SETS[place]
    value = {}
    for path in (RESULTS / folder).glob("*__*"):
        record = read_record(path)
        found = [*(record.native if own_grid else record).summary.values()][1]
        value.setdefault(record.run.method, []).append((found.pooled.ap, found.subjects["ap"].mean))
    line = next(line for line in text().splitlines() if line.startswith(f"| {title} |"))
    for which, cell in enumerate(line.split(" | ")[1:]):
        mean = {name: fmean(pair[which] for pair in pairs) for name, pairs in value.items()}
        ahead = re.findall(r"`([\w-]+)`", cell)
        assert ahead == sorted(ahead, key=lambda name: -mean[name])
        assert {*ahead} == {n for n in mean if mean[n] > mean["thresholding"] and n not in PLAIN}


def test_what_is_said_of_two_trainings_is_what_they_have():
    said = re.search(r"two of `(\w+)` have (\.\d+) and (\.\d+)", PAGE.read_text(encoding="utf-8"))
    runs = sorted((ROOT / "leaderboard/results/brats21-pilot").glob(f"{said[1]}__*"))
    filtered = [[*read_record(run).summary.values()][1].pooled.ap for run in runs]
    assert [f"{value:.3f}"[1:] for value in filtered] == [said[2], said[3]]
