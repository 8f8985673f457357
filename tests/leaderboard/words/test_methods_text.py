"""The paragraph below a table says what these records hold: whom thresholds were frozen on, which voxels were filtered, how scores became maps."""

from __future__ import annotations

import numpy as np
import pytest
from support.mixed_records import mixed_record

from andi_bench.records.schema import ThresholdSpread
from andi_bench.records.store import Protocol, RecordedThreshold
from leaderboard.compare import compare
from leaderboard.words.methods_text import methods_paragraph
from leaderboard.words.notes import first_notes, heading_of

RAW = {"chains": ("raw",)}


def paragraph(folder, **wanted):
    found = compare(folder, **wanted)
    return methods_paragraph(found.tables[0], found.statistics[0])


def frozen_on(subjects):
    spread = ThresholdSpread(subjects=subjects, resamples=100)
    return {"raw": {"val-dice": RecordedThreshold(threshold=0.5, spread=spread)}}


def test_the_filter_is_said_in_voxels_too_where_the_record_holds_them(make_run, records_dir):
    values = {"raw": [0.5, 0.6, 0.8], "median5": [0.5, 0.6, 0.7]}
    known = {"median_mm": (9.375, 9.375, 5.0), "median_voxels": (3, 3, 1)}
    make_run("a", values, dataset="one", protocol=known)
    make_run("a", values, dataset="two", protocol={**known, "median_voxels": None})
    assert "median over 9.375x9.375x5 mm (3x3x1 voxels here)," in paragraph(
        records_dir, dataset="one"
    )
    assert "voxels" not in paragraph(records_dir, dataset="two")
    (table,) = compare(records_dir, dataset="one").tables
    assert "median over 9.375x9.375x5 mm (3x3x1 voxels)," in heading_of(table)


def test_thresholds_are_said_to_be_frozen_on_those_who_have_a_lesion(make_run, records_dir):
    make_run("a", {"raw": [0.5, 0.6, 0.7]}, protocol=RAW, operating_points=frozen_on(4))
    assert "frozen on 4 validation subjects with a lesion." in paragraph(records_dir)
    make_run("b", {"raw": [0.4, 0.6, 0.7]}, protocol=RAW, operating_points=frozen_on(3))
    assert "frozen on 3 to 4 validation subjects with a lesion." in paragraph(records_dir)


def test_records_that_do_not_say_how_many_these_are_are_not_said_to(make_run, records_dir):
    for version, words in (
        (1, "frozen on 6 valid"),
        (2, "frozen on those of 6 validation subjects who"),
    ):
        name = f"v{version}"
        make_run("a", {"raw": [0.5, 0.6, 0.7]}, dataset=name, protocol={**RAW, "version": version})
        assert words in paragraph(records_dir, dataset=name)


def test_without_validation_subjects_no_threshold_is_spoken_of(make_run, records_dir):
    none = {**RAW, "subjects": {"val": 0, "test": 3}}
    make_run("a", None, protocol=none, operating_points={}, unranked="no frozen threshold")
    text = paragraph(records_dir)
    assert "No threshold is frozen, for there are no validation subjects" in text
    assert "at the threshold" not in text
    assert "frozen on" not in text


def test_intervals_are_spoken_of_where_there_are_some(make_run, records_dir):
    for method, gain in (("a", 0.0), ("b", 0.1)):
        for dataset, values in (("two", [0.4, 0.6]), ("many", [0.4, 0.5, 0.7, 0.65])):
            own = list(np.array(values) + gain * np.arange(1, len(values) + 1))
            make_run(method, {"raw": own}, dataset=dataset, protocol=RAW)
    assert "In brackets 95 % intervals, over" in paragraph(records_dir, dataset="many")
    few = paragraph(records_dir, dataset="two")
    assert "In brackets" not in few
    assert "in brackets" not in few


@pytest.mark.parametrize(
    ("preset", "scoring", "said"),
    [
        ("quick", {"reduction": "first", "deviations": "brighter"}, ""),
        ("standard", {"reduction": "first", "deviations": "brighter"}, ""),
        ("quick", {"reduction": "max"}, "Scores: deviations of both signs and the highest of the modalities, where"),
        ("", {"reduction": "t2"}, "Scores: deviations of both signs and t2's alone."),
    ],
)  # fmt: skip
def test_scoring_is_said_where_it_is_not_the_presets(make_run, records_dir, preset, scoring, said):
    make_run("a", 0.5, preset=preset, config={"scoring": scoring})
    text = paragraph(records_dir)
    assert ("Scores" in text) == bool(said)
    assert said in text


def test_methods_that_are_scored_otherwise_than_others_are_named(make_run, records_dir):
    usual = {"reduction": "first", "deviations": "brighter"}
    make_run("a", 0.5, config={"scoring": usual})
    make_run("b", 0.6, config={"scoring": {**usual, "deviations": "darker"}})
    text = paragraph(records_dir)
    assert (
        "Scores of b: what is darker than expected and the first modality's, where preset quick takes"
        in text
    )


def test_methods_below_a_reference_that_looks_at_scans_are_named_by_the_mean(tmp_path):
    for method, skill, family in (
        ("good", 5.0, ""),
        ("poor", 0.2, ""),
        ("simple", 2.0, "reference"),
        ("random", 3.0, "reference"),
    ):
        mixed_record(tmp_path, method, skill, family=family)
    (table,) = compare(tmp_path).tables
    value = next(row for row in table.references if row.label == "simple").figures["dice@val-dice"]
    notes = first_notes(table)
    assert (
        f"Below simple (reference; Dice {value.value:.3f}), by the mean, not tested: poor." in notes
    )
    assert not [note for note in notes if "Below random" in note]


def test_a_grid_whose_voxels_were_not_filtered_is_not_said_to_be():
    from leaderboard.words.pipeline_text import window_text

    native = Protocol(grid="native", median_mm=(9.0, 9.0, 5.0), median_voxels=(3, 3, 1))
    assert window_text(native, " here") == "9x9x5 mm (3x3x1 voxels of the working grid)"
