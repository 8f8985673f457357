"""Configurations of old records and new ones compare, whatever either leaves out."""

from __future__ import annotations

import json

from support.mixed_records import mixed_record

from andi_bench.config import RunConfig
from andi_bench.records.digests import write_digests
from andi_bench.records.gathering import gather
from andi_bench.records.settings import LATER_OPTIONS, settings_of
from andi_bench.records.store import RECORD, read_record

OLD = {**RunConfig().model_dump(mode="json"), "detector": {"bins": 256}}
NEW = RunConfig().described({"bins": 256, "published_order": False})


def test_a_record_that_leaves_out_defaults_has_the_settings_of_one_that_does_not(tmp_path):
    record = read_record(mixed_record(tmp_path, "a", 3.0))
    old = record.model_copy(update={"config": OLD})
    new = record.model_copy(
        update={"config": NEW, "provenance": {LATER_OPTIONS: ["published_order"]}}
    )
    assert OLD["scoring"] != NEW["scoring"]
    assert settings_of(old) == settings_of(new)
    turned = {**NEW, "detector": {"bins": 256, "published_order": True}}
    other = record.model_copy(update={"config": turned})
    assert settings_of(other) != settings_of(old)


def test_a_configuration_of_another_version_keeps_what_it_says(tmp_path):
    record = read_record(mixed_record(tmp_path, "a", 3.0))
    for config in ({}, {"scoring": "off", "more": [1]}):
        assert settings_of(record.model_copy(update={"config": config})) == config
    config = {"scoring": {"no_such_field": 1, "reduction": "mean"}}
    said = {**NEW["scoring"], "no_such_field": 1, "reduction": "mean"}
    assert settings_of(record.model_copy(update={"config": config})) == {"scoring": said}


def test_two_copies_of_a_run_are_the_same_run_whether_or_not_they_say_every_field(tmp_path):
    for place, config in (("ours", OLD), ("theirs", RunConfig().described({"bins": 256}))):
        folder = mixed_record(tmp_path / place, "a", 3.0)
        said = json.loads((folder / RECORD).read_text())
        (folder / RECORD).write_text(json.dumps({**said, "config": config}))
        names = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
        write_digests(folder, names)
    found = gather([tmp_path / "theirs"], tmp_path / "ours")
    assert (len(found.there), found.refused) == (1, [])
