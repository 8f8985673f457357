"""Published records are read like the runs' own, and give tables the same figures."""

from __future__ import annotations

import lzma

import pytest
from support.mixed_records import mixed_record

from andi_bench.errors import UserError
from andi_bench.metrics.compared import compared_per_subject
from andi_bench.records.digests import write_digests
from andi_bench.records.slim import write_slim
from andi_bench.records.store import RECORD, read_grouped, read_record, read_subjects
from andi_bench.records.table_file import PACKED, opened_table


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return read_record(mixed_record(tmp_path_factory.mktemp("full"), "a", 3.0))


@pytest.fixture
def slim(full, tmp_path):
    write_slim(tmp_path, full, full.model_dump(by_alias=True, mode="json"))
    return tmp_path


def test_a_record_read_back_says_what_the_runs_own_says(full, slim):
    assert read_record(slim).model_dump() == full.model_dump()
    assert (slim / RECORD).read_text().count("\n") < 40  # a line a part


def test_what_comparisons_read_of_the_subjects_is_there_and_nothing_else(full, slim):
    wide, kept = read_subjects(full.folder), read_subjects(slim)
    assert {"site", "threshold"}.isdisjoint(kept.columns)
    for found in compared_per_subject():
        points = [found.point.name] if found.point else list(wide["point"].unique())
        column = found.metric.field
        there = wide["point"].isin(points)
        assert kept.loc[there, column].equals(wide.loc[there, column]), found.key
    other = kept["point"] != "val-dice"
    assert kept.loc[other, "hd95"].isna().all()
    assert kept.loc[other, "dice"].notna().any()


@pytest.mark.parametrize("place", [0, -1])
def test_pooled_counts_are_the_same(full, slim, place):
    chain = full.protocol.chains[place]
    wide, kept = read_grouped(full.folder, chain), read_grouped(slim, chain)
    assert wide.subjects == kept.subjects
    assert (wide.lesion == kept.lesion).all()
    assert (wide.healthy == kept.healthy).all()
    assert (wide.tied == kept.tied).all()


@pytest.mark.parametrize("name", [RECORD, PACKED, "pooled.npz"])
def test_a_file_that_is_cut_or_gone_is_named(slim, name):
    content = (slim / name).read_bytes()
    (slim / name).write_bytes(content[:-9])
    with pytest.raises(UserError, match=f"{name}: (truncated or changed|not valid JSON)"):
        read_record(slim)
    (slim / name).unlink()
    with pytest.raises(UserError, match=name):
        read_record(slim)


def test_packed_data_that_are_damaged_are_a_users_error(slim):
    (slim / PACKED).write_bytes(lzma.compress(b"subject,chain")[:-20])
    write_digests(slim, (RECORD, PACKED, "pooled.npz"))
    with pytest.raises(OSError, match="damaged"), opened_table(slim) as text:
        text.read()
    with pytest.raises(UserError, match="cannot be read"):
        read_subjects(slim)
