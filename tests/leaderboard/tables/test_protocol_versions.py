"""Records of the first version of the protocol: readable, apart, and under words that are true of them."""

import numpy as np
import pandas as pd
import pytest

from andi_bench.records.search import find_records
from leaderboard.tables.table import build_tables
from leaderboard.words.notes import heading_of, notes_of

OLD = {"version": 1}
CHAINS = {"raw": [0.5, 0.3, 1.0, 0.1], "median5": [0.5, 0.3, 1.0, 0.1]}


def with_lesion_free(folder, free):
    """Give the subjects of a record lesions, but for some."""
    table = pd.read_csv(folder / "subjects.csv")
    table["lesion_ml"] = np.where(table["subject"].isin(free), 0.0, 2.5)
    table.to_csv(folder / "subjects.csv", index=False)


def test_records_of_the_first_version_stand_apart_below(make_run, records_dir):
    for method in "ab":
        make_run(method, 0.9, protocol=OLD)
    make_run("c", 0.5)
    new, old = build_tables(find_records(records_dir).records)
    assert {row.method for row in new.rows} == {"c"}
    assert {row.method for row in old.rows} == {"a", "b"}
    assert old.differs == ("version of the protocol: 1 instead of 2",)
    assert "protocol standard, version 1" in heading_of(old)
    assert any("not matched one to one" in note for note in notes_of(old))
    assert not any("not matched one to one" in note for note in notes_of(new))


def test_maps_measured_anew_leave_their_older_record_out_unless_it_is_asked_for(
    make_run, records_dir
):
    make_run("a", 0.9, protocol=OLD)
    records = find_records(records_dir).records
    (older,) = (
        r.model_copy(update={"run": r.run.model_copy(update={"maps": "m"})}) for r in records
    )
    newer = older.model_copy(update={"protocol": older.protocol.model_copy(update={"version": 2})})
    assert [t.protocol.version for t in build_tables([older, newer])] == [2]
    assert [t.protocol.version for t in build_tables([older, newer], older=True)] == [2, 1]
    assert [t.protocol.version for t in build_tables([older])] == [1]


@pytest.mark.parametrize("seeds", [1, 2])
def test_their_dice_is_over_the_subjects_with_a_lesion_as_the_words_say(
    make_run, records_dir, seeds
):
    for seed in range(seeds):
        make_run("a", CHAINS, seed=seed, protocol=OLD)
    records = find_records(records_dir).records
    for record in records:
        with_lesion_free(record.folder, ["S2"])
    (table,) = build_tables(records)
    (row,) = table.rows
    figure = row.figures["dice@val-dice"]
    assert figure.value == pytest.approx(np.mean([0.5, 0.3, 0.1]))
    assert figure.median == pytest.approx(0.3)
    assert figure.low < figure.value < figure.high
    assert figure.undefined == 0
    assert set(row.values["dice@val-dice"]) == {"S0", "S1", "S3"}
    assert "means over n = 3 with a lesion, 1 lesion-free apart" in heading_of(table)
