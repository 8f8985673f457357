from __future__ import annotations

import csv
import json
import multiprocessing
import os
import pickle
import resource
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import lmdb
import numpy as np
import pytest
from support.places import ROOT
from support.small_heads import head, write, write_subject

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from datasets.adapters.folder import FolderAdapter
from datasets.slices import builder
from datasets.slices.store import SliceStore

CONFIG = PreprocessingConfig(size=24, modalities=("flair", "t2"))
NAMES = ("a", "b", "c")


@pytest.fixture
def adapter(tmp_path: Path) -> FolderAdapter:
    for k, name in enumerate(NAMES):
        lesion = np.zeros((24, 24, 10), np.uint8)
        lesion[10:12, 10:12, 3 + k] = 1
        write_subject(tmp_path / "data", name, seed=k, lesion=lesion)
    return FolderAdapter("folder", tmp_path / "data")


def build(adapter: FolderAdapter, folder: Path, **options: object) -> SliceStore:
    config = CONFIG.model_copy(update=options)
    return SliceStore.build(folder, adapter, adapter.subjects(), config, workers=1)


def test_the_store_holds_the_healthy_slices_of_the_preprocessed_volumes(
    adapter: FolderAdapter, tmp_path: Path
) -> None:
    store = build(adapter, tmp_path / "s")
    seen = []
    for (name, depth, z, images), subject in zip(
        store.iter_subjects(), adapter.subjects(), strict=True
    ):
        volume = adapter.read(subject, CONFIG, training=True)
        assert (name, depth) == (subject.id, 10)
        assert images.dtype == np.float32
        np.testing.assert_array_equal(images, volume.image[..., z].transpose(3, 0, 1, 2))
        healthy = volume.brain.any(axis=(0, 1)) & ~volume.lesion.any(axis=(0, 1))
        assert z.tolist() == np.flatnonzero(healthy).tolist()
        seen += [(name, int(k)) for k in z]
    assert len(store) == len(seen)
    assert list(zip(store.subjects.tolist(), store.z.tolist(), strict=True)) == seen
    assert set(store.depth.tolist()) == {10}
    assert store.shape == (2, 24, 24)
    assert store.subject_ids == list(NAMES)


def test_slices_are_read_in_any_order_and_repeatedly(
    adapter: FolderAdapter, tmp_path: Path
) -> None:
    store = build(adapter, tmp_path / "s")
    everything = np.concatenate([images for *_, images in store.iter_subjects()])
    order = np.random.default_rng(0).integers(0, len(store), 50)
    np.testing.assert_array_equal(store.read(order), everything[order])
    assert store.read([]).shape == (0, 2, 24, 24)
    for bad in ([len(store)], [-1]):
        with pytest.raises(IndexError):
            store.read(bad)


def test_subject_and_slice_of_every_entry_stand_in_the_table(
    adapter: FolderAdapter, tmp_path: Path
) -> None:
    store = build(adapter, tmp_path / "s")
    with (store.folder / "slices.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["Subject_ID", "Slice"]
    assert [(name, int(z)) for name, z in rows[1:]] == list(
        zip(store.subjects.tolist(), store.z.tolist(), strict=True)
    )


def test_the_database_can_be_read_without_this_package(
    adapter: FolderAdapter, tmp_path: Path
) -> None:
    store = build(adapter, tmp_path / "s")
    manifest = json.loads((store.folder / "manifest.json").read_text())
    copy = shutil.copy(store.folder / "slices.lmdb", tmp_path / "copy.lmdb")
    env = lmdb.open(str(copy), subdir=False, readonly=True, lock=False)
    place = 0
    with env.begin() as transaction:
        for number, row in enumerate(manifest["subjects"]):
            for z in row["slices"]:
                value = transaction.get(b"x" + struct.pack(">II", number, z))
                magic, dtype, checksum, *shape = struct.unpack_from("<4s4sI3I", value)
                content = value[32:]
                assert magic == b"ABSL"
                assert zlib.crc32(content) == checksum
                image = np.frombuffer(content, dtype.rstrip(b"\0").decode()).reshape(shape)
                np.testing.assert_array_equal(image, store.read([place])[0])
                place += 1
    assert place == len(store) == manifest["slices"]
    env.close()


def test_half_precision_is_half_the_bytes_and_close(adapter: FolderAdapter, tmp_path: Path) -> None:
    full, half = build(adapter, tmp_path), build(adapter, tmp_path, store_dtype="float16")
    assert half.folder != full.folder
    images = half.read(range(len(half)))
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, full.read(range(len(full))), rtol=1e-3, atol=1e-4)


def test_a_store_is_known_by_what_it_was_made_from(adapter: FolderAdapter, tmp_path: Path) -> None:
    first = build(adapter, tmp_path / "s")
    subjects = adapter.subjects()
    turned = SliceStore.build(tmp_path / "s", adapter, subjects[::-1], CONFIG)
    assert turned.fingerprint == first.fingerprint
    seen = {first.fingerprint}
    for other in (
        SliceStore.build(tmp_path / "s", adapter, subjects[:2], CONFIG),
        SliceStore.build(tmp_path / "s", adapter, subjects, CONFIG, part="val"),
        build(adapter, tmp_path / "s", quantile=0.98),
        build(FolderAdapter("folder", adapter.root, {"mask_threshold": 0.4}), tmp_path / "s"),
        build(FolderAdapter("other", adapter.root), tmp_path / "s"),
    ):
        assert other.fingerprint not in seen
        assert other.folder.parent == tmp_path / "s"
        seen.add(other.fingerprint)
    write(adapter.root / "b" / "b_t2.nii.gz", head(seed=77))  # not the first modality
    changed = build(FolderAdapter("folder", adapter.root), tmp_path / "s")
    assert changed.fingerprint not in seen
    # elsewhere, the same files give the same store
    shutil.copytree(adapter.root, tmp_path / "elsewhere")
    moved = build(FolderAdapter("folder", tmp_path / "elsewhere"), tmp_path / "t")
    assert moved.fingerprint == changed.fingerprint


def test_a_finished_store_is_not_built_again(
    adapter: FolderAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(adapter, tmp_path / "s")
    monkeypatch.setattr(builder, "pack_subject", lambda *a: pytest.fail("read again"))
    second = build(adapter, tmp_path / "s")
    np.testing.assert_array_equal(first.read([0, 1]), second.read([0, 1]))


def test_several_processes_build_the_same_store(adapter: FolderAdapter, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    one = build(adapter, tmp_path / "one")
    two = SliceStore.build(
        tmp_path / "two",
        adapter,
        adapter.subjects(),
        CONFIG,
        2,
        lambda text, done, total: steps.append((done, total)),
    )
    assert steps == [(1, 3), (2, 3), (3, 3)]
    for name in ("manifest.json", "slices.csv"):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()
    np.testing.assert_array_equal(one.read(range(len(one))), two.read(range(len(two))))


def test_the_map_grows_with_the_data(
    adapter: FolderAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "FIRST_MAP_SIZE", 32 << 10)  # less than one subject
    store = build(adapter, tmp_path / "s", size=32)
    assert (store.folder / "slices.lmdb").stat().st_size > 5 * (32 << 10)
    store.verify()


def test_a_failing_subject_is_named_and_the_finished_ones_are_kept(
    adapter: FolderAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = adapter.root / "b" / "b_flair.nii.gz"
    good = bad.read_bytes()
    bad.write_bytes(good[:-100])
    with pytest.raises(UserError, match=r"b_flair.nii.gz: truncated"):
        build(adapter, tmp_path / "s")
    (folder,) = (tmp_path / "s").iterdir()
    with pytest.raises(UserError, match="no finished slice store"):
        SliceStore.open(folder)
    monkeypatch.setattr(builder, "pack_subject", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(adapter, tmp_path / "s")  # subject a is there: b is the first to be asked for


def _interrupted(adapter: FolderAdapter, subject: object, config: object) -> None:
    assert subject.id == "b"  # type: ignore[attr-defined]
    raise KeyboardInterrupt


_BUILD = """
import sys, time
from pathlib import Path
from andi_bench.config import PreprocessingConfig
from datasets.slices import builder
from datasets.adapters.folder import FolderAdapter
from datasets.slices.store import SliceStore
pack = builder.pack_subject
def slow(*args):
    time.sleep(0.15)
    return pack(*args)
builder.pack_subject = slow
adapter = FolderAdapter("folder", Path(sys.argv[1]))
config = PreprocessingConfig(size=24, modalities=("flair", "t2"))
SliceStore.build(Path(sys.argv[2]), adapter, adapter.subjects(), config, 1,
    lambda text, done, total: print(done, flush=True))
"""


def test_a_killed_build_goes_on_where_it_stopped_and_ends_the_same(tmp_path: Path) -> None:
    for k in range(8):
        write_subject(tmp_path / "data", f"s{k}", seed=k)
    adapter = FolderAdapter("folder", tmp_path / "data")
    root = ROOT
    for stop in (1, 4):
        child = subprocess.Popen(
            [sys.executable, "-c", _BUILD, tmp_path / "data", tmp_path / "killed"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= stop:
                break
        time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    first: list[int] = []
    killed = SliceStore.build(
        tmp_path / "killed",
        adapter,
        adapter.subjects(),
        CONFIG,
        1,
        lambda text, done, total: first.append(done),
    )
    assert first[0] >= 5
    whole = build(adapter, tmp_path / "whole")
    killed.verify()
    for name in ("manifest.json", "slices.csv"):
        assert (killed.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    np.testing.assert_array_equal(killed.read(range(len(killed))), whole.read(range(len(whole))))


def _store_folder(adapter: FolderAdapter, tmp_path: Path) -> Path:
    """A finished store that nothing in this process holds open."""
    built = build(adapter, tmp_path / "built").folder
    return Path(shutil.copytree(built, tmp_path / "s" / built.name))


def test_a_damaged_store_is_refused_in_one_line(adapter: FolderAdapter, tmp_path: Path) -> None:
    folder = _store_folder(adapter, tmp_path)
    database, manifest = folder / "slices.lmdb", folder / "manifest.json"

    def refused(reason: str) -> None:
        with pytest.raises(UserError) as caught:
            SliceStore.open(folder).verify()
        message = str(caught.value)
        assert "damaged" in message
        assert reason in message
        assert str(folder) in message
        assert "\n" not in message

    content, text = database.read_bytes(), manifest.read_text()
    for broken, reason in [
        (content[: len(content) // 2], "bytes"),
        (b"\0" * len(content), ""),
        (content[:100], ""),
        (b"", ""),
    ]:
        database.write_bytes(broken)
        refused(reason)
    middle = len(content) // 2
    voxels = struct.pack("<4s4sI3I", b"ABSL", b"<f4", 0, 2, 24, 24)
    found = content.find(voxels[:8], middle)
    flipped = bytearray(content)
    flipped[found + 500] ^= 1
    database.write_bytes(bytes(flipped))
    refused("checksum")
    database.write_bytes(content)
    manifest.write_text(text[:-30])
    refused("manifest.json cannot be read")
    manifest.write_text(text.replace('"version": 1', '"version": 9', 1))
    refused("another version")
    manifest.write_text(text.replace('"quantile": 0.99', '"quantile": 0.9'))
    refused("manifest was changed")
    changed = json.loads(text)
    changed["subjects"][0]["slices"].pop()
    manifest.write_text(json.dumps(changed))
    refused("entries")
    del changed["subjects"]
    manifest.write_text(json.dumps(changed))
    refused("manifest is not complete")
    manifest.write_text(text)
    SliceStore.open(folder).verify()


def test_a_store_that_is_missing_or_not_finished_is_refused(
    adapter: FolderAdapter, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="no finished slice store"):
        SliceStore.open(tmp_path / "nowhere")
    folder = _store_folder(adapter, tmp_path)
    (folder / "manifest.json").unlink()
    database = folder / "slices.lmdb"
    database.write_bytes(database.read_bytes()[:20_000])
    with pytest.raises(UserError, match=r"damaged .*20000 bytes"):
        build(adapter, tmp_path / "s")
    database.write_bytes(b"no database" * 2000)
    with pytest.raises(UserError, match="damaged"):
        build(adapter, tmp_path / "s")


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for k in range(4):
        name = f"s{k}"
        write_subject(tmp_path / "data", name, seed=k)
        noise = np.where(head((64, 64, 20)) > 0, rng.uniform(1, 9, (64, 64, 20)), 0)
        for kind in ("flair", "t2"):
            write(tmp_path / "data" / name / f"{name}_{kind}.nii.gz", noise.astype(np.float32))
        write(tmp_path / "data" / name / f"{name}_seg.nii.gz", np.zeros((64, 64, 20), np.uint8))
    adapter = FolderAdapter("folder", tmp_path / "data")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, hard))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(UserError, match=r"cannot be written .*finished subjects are kept"):
            build(adapter, tmp_path / "s", size=64)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    steps: list[int] = []
    config = CONFIG.model_copy(update={"size": 64})
    store = SliceStore.build(
        tmp_path / "s",
        adapter,
        adapter.subjects(),
        config,
        1,
        lambda text, done, total: steps.append(done),
    )
    assert steps[0] > 1
    store.verify()
    assert store.subject_ids == ["s0", "s1", "s2", "s3"]


def test_a_folder_that_cannot_be_written_is_one_line(
    adapter: FolderAdapter, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        build(adapter, tmp_path / "file")


def test_training_needs_masks_and_healthy_slices(tmp_path: Path) -> None:
    write_subject(tmp_path / "data", "a", lesion=None)
    adapter = FolderAdapter("folder", tmp_path / "data")
    with pytest.raises(UserError, match="subject a: no lesion mask"):
        build(adapter, tmp_path / "s")
    healthy = FolderAdapter("folder", tmp_path / "data", {"missing_mask": "healthy"})
    assert len(build(healthy, tmp_path / "s")) > 0
    write(tmp_path / "data" / "a" / "a_seg.nii.gz", np.ones((24, 24, 10), np.uint8))
    with pytest.raises(UserError, match="none of 1 subject has a healthy slice"):
        build(FolderAdapter("folder", tmp_path / "data"), tmp_path / "s")
    with pytest.raises(UserError, match="no subject in 'train'"):
        SliceStore.build(tmp_path / "s", adapter, [], CONFIG)


def test_a_subject_without_healthy_slices_is_listed_and_passed_over(
    adapter: FolderAdapter, tmp_path: Path
) -> None:
    write(adapter.root / "b" / "b_seg.nii.gz", np.ones((24, 24, 10), np.uint8))
    store = build(adapter, tmp_path / "s")
    assert store.subject_ids == ["a", "b", "c"]
    assert [name for name, *_ in store.iter_subjects()] == ["a", "c"]


def test_intensities_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    image = head((24, 24, 10))
    image[12, 12, 5] = 1e8
    write(tmp_path / "data" / "a" / "a_flair.nii.gz", image)
    write(tmp_path / "data" / "a" / "a_seg.nii.gz", np.zeros(image.shape, np.uint8))
    adapter = FolderAdapter("folder", tmp_path / "data")
    with pytest.raises(UserError, match=r"subject a: .* beyond float16"):
        build(adapter, tmp_path / "s", modalities=("flair",), store_dtype="float16")


def _read_in_child(store: SliceStore, answer: object) -> None:
    answer.put(store.read([0, len(store) - 1]))  # type: ignore[attr-defined]


def test_a_store_is_read_by_threads_and_by_other_processes(
    adapter: FolderAdapter, tmp_path: Path
) -> None:
    store = build(adapter, tmp_path / "s")
    wanted = store.read(range(len(store)))
    found: list[bool] = []

    def read_all() -> None:
        for _ in range(20):
            found.append(bool(np.array_equal(store.read(range(len(store))), wanted)))

    threads = [threading.Thread(target=read_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 80
    copy = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(copy.read([3]), wanted[[3]])
    if hasattr(os, "fork"):
        context = multiprocessing.get_context("fork")
        answer = context.Queue()
        child = context.Process(target=_read_in_child, args=(store, answer))
        child.start()
        np.testing.assert_array_equal(answer.get(timeout=20), wanted[[0, len(store) - 1]])
        child.join()
