"""Records of several workspaces are brought into one: whole, checked, and never over what is there."""

import json

import pytest
from support.mixed_records import mixed_record

from andi_bench.errors import UserError
from andi_bench.records.digests import write_digests
from andi_bench.records.gathering import gather
from andi_bench.records.search import find_records
from andi_bench.records.store import RECORD


def test_records_of_other_places_are_copied_once(tmp_path):
    for place, method in (("one", "a"), ("two", "b")):
        mixed_record(tmp_path / place / "records", method, 3.0)
    ours = tmp_path / "ours" / "records"
    places = [tmp_path / "one", tmp_path / "two" / "records"]
    first = gather(places, ours)
    assert (len(first.copied), first.there, first.refused) == (2, [], [])
    assert sorted(run.run.method for run in find_records(ours).records) == ["a", "b"]
    again = gather(places, ours)
    assert (again.copied, len(again.there), again.refused) == ([], 2, [])
    assert not list(ours.glob(".*"))


def test_what_is_damaged_or_says_something_else_is_refused_with_the_reason(tmp_path):
    theirs, ours = tmp_path / "theirs" / "records", tmp_path / "ours"
    folder = mixed_record(theirs, "a", 3.0)
    (copied,) = gather([tmp_path / "theirs"], ours).copied
    said = json.loads((folder / RECORD).read_text())
    said["notes"] = ["changed since"]
    (folder / RECORD).write_text(json.dumps(said))
    damaged = gather([tmp_path / "theirs"], ours)
    assert "truncated or changed" in damaged.refused[0]
    names = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    write_digests(folder, names)
    clash = gather([tmp_path / "theirs"], ours)
    assert clash.copied == []
    assert "other results: that one stands" in clash.refused[0]
    assert "changed since" not in (copied / RECORD).read_text()


def test_a_place_without_records_or_the_own_one_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match="no such folder of run records"):
        gather([tmp_path / "nowhere"], tmp_path / "ours")
    (tmp_path / "ours").mkdir()
    with pytest.raises(UserError, match="another workspace"):
        gather([tmp_path / "ours"], tmp_path / "ours")
