"""Records of one run on earlier states of its data: which stands, which is older, and why."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from andi_bench.records.schema import DataInfo, Protocol, RunInfo, RunRecord
from andi_bench.records.states import confirm, earlier_of, runs_like, superseded, why_older
from andi_bench.records.store import identity, read_record, write_record


def record(
    state: str, created: str, *, place: str = "here", asked: str = "asked", version: int = 2
) -> RunRecord:
    return RunRecord(
        run=RunInfo(
            method="ae",
            label="ae",
            dataset="folder",
            identity=identity({"state": state, "version": version}),
            identity_version=version,
            asked=asked if version == 2 else "",
            former=identity({"state": "flair", "version": 1}) if version == 2 else "",
            created=created,
        ),
        protocol=Protocol(chains=("raw",)),
        data=DataInfo(files={"S06": state, "S07": "same"} if version == 2 else {}),
        provenance={"data": place} if version == 2 else {},
        summary={},
    )


def test_the_newest_of_one_run_in_one_place_stands():
    first, second = record("a", "2026-01-01"), record("b", "2026-01-02")
    assert superseded([second, first]) == {first.run.identity: second}
    assert "files of S06 have changed since" in why_older(first, second)


def test_another_place_or_another_question_is_another_run():
    first = record("a", "2026-01-01")
    assert not superseded([first, record("b", "2026-01-02", place="there")])
    assert not superseded([first, record("b", "2026-01-02", asked="otherwise")])


def test_a_record_of_version_1_gives_way_to_what_it_would_be_today():
    old, new = record("flair", "2025-01-01", version=1), record("a", "2026-01-01")
    assert superseded([old, new]) == {old.run.identity: new}
    assert "cannot be proven" in why_older(old, new)
    other = record("another flair", "2025-01-01", version=1)
    assert not superseded([other, new])


def test_a_record_found_again_stands_before_newer_ones(tmp_path: Path):
    table = pd.DataFrame({"subject": ["S06"], "chain": ["raw"], "point": ["yen"]})
    first, second = (
        read_record(write_record(tmp_path, one, table, {}))
        for one in (record("a", "2026-01-01"), record("b", "2026-01-02"))
    )
    like = runs_like(tmp_path, first.run)
    assert {r.run.identity for r in like} == {first.run.identity, second.run.identity}
    assert set(superseded(like)) == {first.run.identity}
    confirm(first)
    assert set(superseded(runs_like(tmp_path, first.run))) == {second.run.identity}
    third = record("c", "2026-01-03")
    found = earlier_of(third.run, "here", runs_like(tmp_path, third.run))
    assert [r.run.identity for r in found] == [first.run.identity, second.run.identity]
    assert not earlier_of(third.run, "there", like)
