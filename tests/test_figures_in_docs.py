"""Figures of published runs that a page repeats are those of the records."""

from __future__ import annotations

import re

import pytest
from support.places import ROOT

from andi_bench.records.store import read_record

PAGE = (ROOT / "docs" / "phantom.md").read_text(encoding="utf-8")
LONGER = PAGE.partition("**Four times the steps, for every method**")[2].partition("\n    - ")[0]
ROWS = re.findall(r"^ *\| `([\w-]+)` \| (.+) \| (.+) \| (.+) \| (.+) \|$", LONGER, re.M)


def _dice(folder: str, method: str) -> tuple[list[float], list[float]]:
    """Return Dice on validation and on test subjects of each seed, by the maps that the validation subjects chose."""
    reached, dice = [], []
    for path in sorted((ROOT / "leaderboard" / "results" / folder).glob(f"{method}__*")):
        record = read_record(path)
        points = {
            chain: own["val-dice"].reached or 0 for chain, own in record.operating_points.items()
        }
        chain = max(points, key=lambda one: points[one])
        reached.append(points[chain])
        dice.append(record.summary[chain].subjects["dice@val-dice"].mean)
    return reached, dice


def test_every_method_of_the_longer_trainings_has_its_row():
    runs = (ROOT / "leaderboard" / "results" / "phantom-standard").glob("*__*")
    learnt = {run.name.split("__")[0] for run in runs if read_record(run).costs.training_steps}
    assert learnt == {method for method, *_ in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=[method for method, *_ in ROWS])
def test_a_row_of_the_longer_trainings_has_the_figures_of_the_records(row):
    method, *cells = row
    quick, longer = _dice("phantom", method), _dice("phantom-standard", method)
    wanted = [quick[0], longer[0], quick[1], longer[1]]
    assert cells == [", ".join(f"{value:.3f}"[1:] for value in values) for values in wanted]
