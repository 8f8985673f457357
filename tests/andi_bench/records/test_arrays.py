"""Histograms that a record keeps are read back as they were; a damaged file is named in one line, whatever is wrong in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andi_bench.errors import UserError
from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.records.arrays import (
    HISTOGRAMS,
    POOLED,
    read_grouped,
    read_histograms,
    write_histograms,
)


def histogram(seed: int) -> ScoreHistogram:
    rng = np.random.default_rng(seed)
    lesion = rng.uniform(size=400) < 0.2
    return score_histogram(rng.gamma(1 + lesion).astype(np.float32), np.ones(400, bool), lesion)


KEPT = {f"S{k}": histogram(k) for k in range(3)}


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("record")
    arrays = {
        f"test/raw/{name}/{part}": array
        for name, one in KEPT.items()
        for part, array in one.to_arrays().items()
    }
    write_histograms(folder, arrays)
    return folder


def test_histograms_are_read_back_subject_by_subject(kept):
    found = dict(read_histograms(kept, "raw"))
    assert found == KEPT
    assert list(read_histograms(kept, "median")) == []
    assert list(read_histograms(kept / "elsewhere", "raw")) == []
    grouped = read_grouped(kept, "raw")
    assert grouped is not None
    assert read_grouped(kept, "median") is None


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_file_that_was_cut_or_garbled_is_named_or_reads_as_it_was(kept, data):
    name = data.draw(st.sampled_from([HISTOGRAMS, POOLED]))
    whole = (kept / name).read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    broken = whole[:cut]
    if data.draw(st.booleans()):
        broken = bytearray(whole)
        broken[cut] ^= data.draw(st.integers(1, 255))
    (kept / "broken").mkdir(exist_ok=True)
    (kept / "broken" / name).write_bytes(broken)
    other = POOLED if name == HISTOGRAMS else HISTOGRAMS
    (kept / "broken" / other).write_bytes((kept / other).read_bytes())
    said = ""
    try:
        found = dict(read_histograms(kept / "broken", "raw"))
        grouped = read_grouped(kept / "broken", "raw")
    except UserError as error:
        said = str(error)
    if said:
        assert said.startswith(str(kept / "broken" / name))
        assert "\n" not in said
    else:  # what was garbled is not read, as the date of an entry
        assert all(KEPT[subject] == one for subject, one in found.items())
        assert (
            grouped is None or grouped.arrays().keys() == read_grouped(kept, "raw").arrays().keys()
        )
