"""What is measured of scans to hold the phantom beside them, and that the documents show these numbers."""

import argparse
import json

import numpy as np
import pytest
from support.places import ROOT

from andi_bench.errors import UserError
from datasets.phantom.adapter import PhantomAdapter
from perf.realism import NUMBERS, flattened, measure, summarised, table
from perf.scan_statistics import EDGE, figures_of, measured, variety

OPTIONS = {"spacing": 4.0, "counts": {"train": 2}, "lesion_free": {}}


@pytest.fixture(scope="module")
def subjects(tmp_path_factory):
    adapter = PhantomAdapter("small", tmp_path_factory.mktemp("phantom"), OPTIONS)
    adapter.prepare(workers=1)
    return adapter, [measured(adapter, s, kinds=True) for s in adapter.subjects_in("train")]


def test_a_scan_is_measured_in_its_own_units(subjects):
    adapter, volumes = subjects
    for subject, volume in zip(adapter.subjects_in("train"), volumes, strict=True):
        scan = adapter.read_scan(subject)
        millilitres = scan.brain().sum() * 4.0**3 / 1000
        assert volume.brain.sum() * EDGE**3 / 1000 == pytest.approx(millilitres, rel=0.08)
        found = figures_of(volume)
        assert found["lesion"]["ml"] == pytest.approx(scan.lesion.sum() * 4.0**3 / 1000, rel=0.15)
        assert found["tissues"]["t1 white"]["median"] == pytest.approx(1, abs=1e-3)
        assert found["tissues"]["t1 grey"]["median"] < 1 < found["tissues"]["t2 grey"]["median"]
        assert not (volume.healthy & volume.lesion).any()


def test_a_set_is_told_by_means_over_two_or_more_subjects(subjects):
    _, volumes = subjects
    figures = [figures_of(volume) for volume in volumes]
    found = summarised(figures, variety(volumes))
    assert found["subjects"] == 2
    mean = np.mean([f["brain ml"] for f in figures])
    assert found["brain ml"][0] == pytest.approx(mean, abs=1e-3)
    lone = summarised([figures[0], {"brain ml": 1.0}], {})
    assert set(lone) == {"subjects", "brain ml"}  # what one subject alone has is left out
    assert flattened({"a": {"b": 1}, "c": [2]}) == {"a/b": 1, "c": [2]}


def test_test_subjects_of_a_phantom_are_not_measured(subjects):
    adapter, _ = subjects
    asked = argparse.Namespace(
        part=["test"], root=adapter.root, dataset="folder", splits=None, any_label=False
    )
    with pytest.raises(UserError, match="sealed"):
        measure(asked)


def test_the_table_of_the_documents_is_made_of_the_numbers_beside_it():
    numbers = json.loads(NUMBERS.read_text(encoding="utf-8"))
    assert table(numbers) in (ROOT / "docs" / "phantom.md").read_text(encoding="utf-8")
    assert all(found["subjects"] >= 2 for found in numbers.values())
