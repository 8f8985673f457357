"""Maps on disk: what comes back is what was put in, and damage is noticed."""

from dataclasses import replace

import numpy as np
import pytest

from andi_bench.errors import UserError
from benchmark.scoring.map_store import MapStore, ScoredSubject


def scored(whole=False, lesion=True):
    rng = np.random.default_rng(0)
    brain = rng.random((7, 5, 3)) < 0.5
    scores = rng.normal(size=brain.shape).astype(np.float32)
    return ScoredSubject(
        subject="A_1",
        map=scores if whole else np.where(brain, scores, 0).astype(np.float32),
        brain=brain,
        lesion=rng.random(brain.shape) < 0.1 if lesion else None,
        spacing=(1.0, 2.0, 2.5),
        site="x",
        attributes={"age": "60"},
        costs={"seconds": 1.5},
    )


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("lesion", [False, True])
def test_a_scored_subject_comes_back_bit_for_bit(tmp_path, whole, lesion):
    store, subject = MapStore(tmp_path), scored(whole, lesion)
    assert "A_1" not in store
    store.save(subject)
    back = store.load("A_1")
    assert "A_1" in store
    assert np.array_equal(back.map, subject.map)
    assert np.array_equal(back.brain, subject.brain)
    assert (back.lesion is None) == (not lesion)
    if lesion:
        assert np.array_equal(back.lesion, subject.lesion)
    assert replace(back, map=None, brain=None, lesion=None) == replace(
        subject, map=None, brain=None, lesion=None
    )


def test_a_map_of_files_that_have_changed_since_is_not_taken_for_good(tmp_path):
    MapStore(tmp_path, {"A_1": "before"}).save(scored())
    assert "A_1" not in MapStore(tmp_path, {"A_1": "after"})


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"x" * 99])
def test_a_damaged_file_is_named(tmp_path, damage):
    store = MapStore(tmp_path)
    store.save(scored())
    path = store.path("A_1")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"A_1\.npz: damaged map"):
        store.load("A_1")


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(UserError, match="No space left on device"):
        MapStore(tmp_path).save(scored())
    assert list(tmp_path.iterdir()) == []
