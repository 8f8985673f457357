"""Things are counted as people do: one subject, two subjects."""

import pytest

from andi_bench.names import counted, in_number, part_of
from andi_bench.records.schema import Costs, GridResults, GuardResult, RecordedThreshold
from andi_bench.records.summaries import FALLING


def test_one_thing_is_told_as_one():
    assert [counted(n, "subject") for n in (0, 1, 2)] == ["0 subjects", "1 subject", "2 subjects"]
    assert counted(1, "scan is", "scans are") == "1 scan is"
    assert counted(3, "scan is", "scans are") == "3 scans are"
    assert counted(1200, "step", form=",") == "1,200 steps"
    assert counted(1.0, "call", form="g") == "1 call"
    assert counted(1.5, "call", form="g") == "1.5 calls"


def test_the_number_before_of_decides_what_the_verb_is():
    def said(part, whole):
        return part_of(part, whole, "subject", "lacks", "lack")

    assert said(0, 2) == "0 of 2 subjects lack"
    assert said(1, 4) == "1 of 4 subjects lacks"
    assert said(3, 4) == "3 of 4 subjects lack"
    assert said(1, 1) == "1 of 1 subject lacks"
    assert part_of(1, 1, "run") == "1 of 1 run"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("cpu, 1 threads", "cpu, 1 thread"),
        (
            "Dice of 1 validation subjects with a lesion",
            "Dice of 1 validation subject with a lesion",
        ),
        ("1 persons, 1 scans, no person", "1 person, 1 scan, no person"),
        ("cpu, 11 threads; 0.1 voxels; 1,1 scans; T1 scans; 1 lesion", None),
        ("1 of 2 subjects, 21 subjects", None),
        ("1 of 4 lesions have no voxel", "1 of 4 lesions has no voxel"),
        ("1 of 1 lesions have no voxel", "1 of 1 lesion has no voxel"),
        ("21 of 40 lesions have no voxel; 0.1 of 2 lesions have", None),
    ],
)
def test_texts_of_earlier_records_are_read_in_the_right_number(text, wanted):
    assert in_number(text) == (wanted or text)


def test_a_record_is_read_in_the_right_number():
    assert Costs(device="cpu, 1 threads").device == "cpu, 1 thread"
    assert RecordedThreshold(how="of 1 validation subjects").how == "of 1 validation subject"
    assert GuardResult(name="a", passed=True, detail="1 persons").detail == "1 person"


def test_a_loss_that_fell_is_told_as_no_more_than_that():
    former = (
        "still improving at the end of its training budget: the mean loss of the last fifth is "
        "9 % below that of the fifth before"
    )
    told = GridResults(summary={}, notes=(former,)).notes
    assert told == (f"{FALLING} 9 % below that of the fifth before",)
