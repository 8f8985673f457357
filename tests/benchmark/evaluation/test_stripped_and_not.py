"""Heads among brains are told, by their volume."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.small_evaluation import CONFIG, TEST, VAL, scored

from benchmark.evaluation.protocol import evaluate
from datasets.scans.brain import LARGEST_BRAIN_ML, stripping_notes


def test_a_run_on_brains_and_heads_says_how_many_are_which():
    def load(name: str):
        subject = scored(name)
        return replace(subject, spacing=(14.0, 14.0, 16.0)) if name in ("t1", "t2") else subject

    notes = [line for line in evaluate(load, VAL, TEST, CONFIG, workers=1).notes if "skull" in line]
    assert len(notes) == 1
    assert notes[0].startswith(
        "2 subjects are not skull-stripped (t1, ...: more than 2400 ml above the background), 2 subjects are:"
    )
    assert not any("skull" in line for line in evaluate(scored, VAL, TEST, CONFIG, workers=1).notes)


@pytest.mark.parametrize("volumes", [{}, {"a": 1500.0, "b": 900.0}])
def test_of_brains_nothing_is_said(volumes):
    assert stripping_notes(volumes) == []


def test_heads_without_a_brain_among_them_are_told_too():
    (line,) = stripping_notes({"a": 3900.0, "b": 3100.0})
    assert line.startswith("no subject is skull-stripped (a, ...: more than 2400 ml")


def test_one_head_is_told_as_one():
    (line,) = stripping_notes({"a": LARGEST_BRAIN_ML, "b": LARGEST_BRAIN_ML + 1})
    assert line.startswith("1 subject is not skull-stripped (b: more than 2400 ml")
    assert ", 1 subject is: skull and scalp" in line
