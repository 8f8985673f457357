"""A record is what was measured beside where it comes from; what a reader must know is said in it."""

import dataclasses

import numpy as np
import pytest
import yaml
from support.small_evaluation import CONFIG, TEST, VAL, scored
from support.small_facts import run_facts

from andi_bench.config import load_run_config
from benchmark.evaluation.paper_protocol import paper_run
from benchmark.evaluation.protocol import evaluate
from benchmark.recording.facts import LearningFacts, MethodFacts
from benchmark.recording.results import NATIVE, Results
from benchmark.recording.run_record import run_record

CHOSEN = "checkpoint chosen without the evaluated data"


@pytest.fixture(scope="module")
def working():
    return evaluate(scored, VAL, TEST, CONFIG, workers=1)


@pytest.fixture(scope="module")
def results(working):
    return Results(working)


def guards(record):
    return {guard.name: guard.passed for guard in record.guards}


def test_a_record_says_what_was_measured_on_whom(results, working):
    record = run_record(run_facts(), results)
    assert record.summary == working.summary
    assert record.operating_points == working.operating_points
    assert (record.data.val, record.data.test) == (VAL, TEST)
    assert record.protocol.subjects == {"val": 2, "test": 4}
    assert record.protocol.chains == ("raw", "median3")
    assert record.protocol.median_mm == (12.0, 12.0, 15.0)
    assert record.protocol.median_voxels == (3, 3, 3)
    assert record.method.title == "A method"
    assert record.costs.parameters == 3
    assert record.native is None
    assert record.paper is None


def test_the_splits_fingerprint_is_of_the_scans_and_not_of_their_order(results):
    def fingerprint(**changes):
        facts = run_facts()
        cohorts = dataclasses.replace(facts.cohorts, **changes)
        return run_record(dataclasses.replace(facts, cohorts=cohorts), results).protocol

    hashes = run_facts().cohorts.fingerprints
    plain = fingerprint().split_fingerprint
    assert fingerprint(test=list(TEST[::-1])).split_fingerprint == plain
    assert fingerprint(fingerprints={**hashes, "t0": "x"}).split_fingerprint != plain
    assert fingerprint(val=["v0"]).split_fingerprint != plain


@pytest.mark.parametrize(
    ("learning", "source", "chosen"),
    [
        (LearningFacts("trained", "phantom"), "lesion-free slices of patients", True),
        (LearningFacts("nothing to learn"), "none needed", "unasked"),
        (LearningFacts("checkpoint", report={"checkpoint": "w.pt"}), "not known", None),
        (LearningFacts("elsewhere"), "not known", None),
    ],
    ids=lambda value: getattr(value, "origin", ""),
)
def test_where_weights_come_from_decides_what_can_be_guarded(results, learning, source, chosen):
    record = run_record(run_facts(learning), results)
    assert record.data.healthy_source == source
    assert guards(record).get(CHOSEN, "unasked") == chosen
    assert guards(record)["splits disjoint"] is True


def test_noise_of_training_and_scoring_is_declared_where_a_method_has_any(results):
    name = "noise of training and scoring declared"
    assert name not in guards(run_record(run_facts(), results))
    facts = run_facts(settings={"training_noise": "simplex", "scoring_noise": "gaussian"})
    (found,) = [g for g in run_record(facts, results).guards if g.name == name]
    assert found.detail == "training noise simplex, scoring noise gaussian"


@pytest.mark.parametrize(("count", "said"), [(0, False), (1, True), (3, True), (4, False)])
def test_few_validation_subjects_are_noted(results, count, said):
    facts = run_facts()
    cohorts = dataclasses.replace(
        facts.cohorts,
        val=[f"v{k}" for k in range(count)],
        fingerprints={**facts.cohorts.fingerprints, **{f"v{k}": "" for k in range(count)}},
    )
    notes = run_record(dataclasses.replace(facts, cohorts=cohorts), results).notes
    assert any("thresholds were frozen on" in note for note in notes) == said


def test_subjects_without_a_mask_are_counted(results):
    assert "2 subjects without a lesion mask: scored only" in (
        run_record(run_facts(unlabelled=2), results).notes
    )


@pytest.mark.parametrize(("last", "said"), [(0.2, True), (1.0, False)])
def test_a_training_whose_loss_still_fell_is_noted(results, tmp_path, last, said):
    curve = tmp_path / "loss.csv"
    losses = np.linspace(1, last, 100)
    lines = [f"{step},{loss},0.001" for step, loss in enumerate(losses, start=1)]
    curve.write_text("\n".join(["step,loss,learning_rate", *lines]) + "\n")
    facts = run_facts(LearningFacts("trained", "phantom", curve=curve))
    notes = run_record(facts, results).notes
    assert any("loss still falling at the end" in note for note in notes) == said
    gone = run_facts(LearningFacts("trained", "phantom", curve=tmp_path / "nothing.csv"))
    assert not any("still falling" in note for note in run_record(gone, results).notes)


def test_a_method_without_an_entry_has_no_title(results):
    facts = run_facts(method=MethodFacts(None, calibration={"level": 0.5}))
    record = run_record(facts, results)
    assert (record.method.title, record.method.calibration) == ("", {"level": 0.5})


def test_the_configuration_of_a_record_makes_the_run_again(results):
    facts = run_facts(settings={"width": 3})
    written = yaml.safe_load(yaml.safe_dump(facts.resolved_config()))
    again = load_run_config(None, "paper", [written], "a-method")
    assert again == facts.config.model_copy(update={"detector": {"width": 3}})
    assert run_record(facts, results).config == facts.resolved_config()


def test_both_grids_stand_in_one_table_and_one_set_of_histograms(working):
    native = dataclasses.replace(working, notes=["on its own grid"])
    both = Results(working, native, paper_run(scored, TEST, CONFIG, None))
    table = both.subjects()
    assert len(table) == 2 * len(working.subjects)
    assert list(dict.fromkeys(table["grid"])) == ["working", "native"]
    assert list(table.index) == list(range(len(table)))
    histograms = both.histograms()
    assert len(histograms) == len(list(histograms)) == 2 * len(working.histograms)
    for name in working.histograms:
        np.testing.assert_array_equal(histograms[name], working.histograms[name])
        np.testing.assert_array_equal(histograms[NATIVE + name], working.histograms[name])
    record = run_record(run_facts(), both)
    assert record.grids == ("working", "native")
    assert record.native.notes[0] == "on its own grid"
    assert set(record.paper.chains) == {"raw", "median3"}
