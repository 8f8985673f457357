"""What a frozen threshold reaches on the validation subjects: said by the record, and counted where an older one does not."""

import json

import numpy as np
import pytest
from support.small_evaluation import VAL, record_of, scored

from andi_bench.records.store import read_record
from andi_bench.records.validation import validation_dice


@pytest.fixture
def run(tmp_path):
    return read_record(record_of(tmp_path, "drawn"))


def test_the_record_says_the_mean_dice_of_the_validation_subjects_at_the_frozen_threshold(run):
    point = run.operating_points["raw"]["val-dice"]
    dice = []
    for name in VAL:
        subject = scored(name)
        found = (subject.map > np.float32(point.threshold)) & subject.brain
        dice.append(2 * (found & subject.lesion).sum() / (found.sum() + subject.lesion.sum()))
    assert point.reached == pytest.approx(np.mean(dice), abs=1e-9)
    assert validation_dice(run, "raw") == point.reached
    rate = run.operating_points["raw"]["val-fpr5"].reached
    assert 0.04 < rate <= 0.05
    assert run.operating_points["raw"]["oracle"].reached is None


def older(run, **changes):
    """Return the run as a record of before schema 5 has it."""
    content = json.loads((run.folder / "record.json").read_text(encoding="utf-8"))
    for found in content["operating_points"].values():
        for point in found.values():
            point.pop("reached")
    made = type(run).model_validate({**content, "schema": 4, **changes})
    return made.model_copy(update={"folder": run.folder})


def test_of_an_older_record_it_is_counted_in_the_kept_histograms(run):
    for chain in run.protocol.chains:
        wanted = validation_dice(run, chain)
        assert validation_dice(older(run), chain) == pytest.approx(wanted, abs=5e-4)


def test_it_is_unknown_where_neither_is_kept_or_no_threshold_was_frozen(run):
    (run.folder / "histograms.npz").unlink()
    assert validation_dice(older(run), "raw") is None
    assert validation_dice(older(run, operating_points={}), "raw") is None
    assert validation_dice(run, "no such pipeline") is None
