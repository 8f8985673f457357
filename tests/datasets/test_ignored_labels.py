"""Labels that count for nobody: from the options, a preparation, or the resection cavity of BraTS 2024."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.small_scans import save, write_subject

from andi_bench.config import EvaluationConfig, PreprocessingConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from benchmark.evaluation.measurement import bin_subject, measure_subject
from benchmark.evaluation.protocol import chains_of
from benchmark.scoring.map_store import MapStore
from benchmark.scoring.subjects import scored_subject
from datasets.adapters.brats21 import Brats21Adapter
from datasets.adapters.folder import FolderAdapter
from datasets.prepare.commands.scans_steps import OwnScans, prepare_folder
from datasets.prepare.place.subject_folder import Recipe
from datasets.scans.lesion_mask import LesionRule
from datasets.scans.preprocess import preprocess, training_slices

CONFIG = PreprocessingConfig(size=32)
BLOCK = (slice(12, 16), slice(16, 20), slice(2, 4))

QUIET = Console(quiet=True)


def with_label(folder: Path, other: int, lesion: int = 1) -> np.ndarray:
    """Give a subject's mask a second label in a block; return the mask."""
    path = next(folder.glob("*seg.nii.gz"))
    image = nib.load(path)
    values = np.where(np.asarray(image.dataobj) > 0, lesion, 0).astype(np.uint8)
    values[BLOCK] = other
    save(path, values)
    return values


def test_options_say_which_labels_are_lesion_and_which_count_for_nobody(tmp_path: Path) -> None:
    values = with_label(write_subject(tmp_path, "A", 0), 2)
    adapter = FolderAdapter("folder", tmp_path, {"ignore_labels": [2]})
    scan = adapter.read_scan(adapter.subjects()[0])
    np.testing.assert_array_equal(scan.lesion, values == 1)
    np.testing.assert_array_equal(scan.ignore, values == 2)
    assert adapter.revision() == {"adapter_options": {"ignore_labels": [2]}}
    slices = training_slices(scan, CONFIG).numbers
    assert not {2, 3} & {*slices.tolist()}
    plain = FolderAdapter("folder", tmp_path)
    before = plain.read_scan(plain.subjects()[0])
    assert before.ignore is None
    assert "ignore_labels" not in plain.options.model_dump()
    with pytest.raises(UserError, match="label 2 is lesion and ignored at once"):
        FolderAdapter("folder", tmp_path, {"ignore_labels": [2], "lesion_labels": [2]})


def test_ignored_voxels_are_in_no_count(tmp_path: Path) -> None:
    with_label(write_subject(tmp_path, "A", 0), 2)
    adapter = FolderAdapter("folder", tmp_path, {"ignore_labels": [2]})
    volume = preprocess(adapter.read_scan(adapter.subjects()[0]), CONFIG)
    rng = np.random.default_rng(0)
    scores = np.where(volume.brain, rng.random(volume.shape), 0).astype(np.float32)
    bright = np.where(volume.ignore, 1e6, scores).astype(np.float32)
    store = MapStore(tmp_path / "maps")
    store.save(scored_subject(volume, np.where(volume.brain, bright, 0).astype(np.float32)))
    kept = store.load("A")
    np.testing.assert_array_equal(kept.ignore, volume.ignore)
    (raw,) = chains_of(EvaluationConfig(median=1))
    histogram = bin_subject(store.load, [raw], "A")[raw.name]
    region = volume.brain & ~volume.ignore
    assert sum(histogram.totals()) == np.count_nonzero(region)
    assert histogram.totals()[0] == np.count_nonzero(volume.lesion & region)
    measured = measure_subject(store.load, [raw], {raw.name: {"val-dice": 0.5}}, "A")
    assert measured.ignored == np.count_nonzero(volume.brain & volume.ignore)
    assert measured.above[raw.name]["val-dice"] == np.count_nonzero(
        (scores > 0.5) & region & ~volume.lesion
    )


def test_what_a_preparation_was_told_is_followed(tmp_path: Path) -> None:
    for k in range(3):
        with_label(write_subject(tmp_path / "raw", f"P{k}", k), 2)
    rule = LesionRule(lesion_labels=(1,), ignore_labels=(2,), other_labels="any")
    told = prepare_folder(
        OwnScans(tmp_path / "raw"), tmp_path / "out", Recipe(rule=rule), console=QUIET
    )
    assert told.sound
    adapter = FolderAdapter("folder", tmp_path / "out")
    adapter.prepare()
    assert "mask labels" in adapter.revision()
    scan = adapter.read_scan(adapter.subjects()[0])
    assert scan.ignore is not None
    assert not (scan.ignore & scan.lesion).any()
    other = prepare_folder(OwnScans(tmp_path / "raw"), tmp_path / "plain", Recipe(), console=QUIET)
    assert any("hold labels 1, 2, and all of them count as lesion" in line for line in other.notes)


@pytest.mark.parametrize(
    ("lesions", "others", "cavity"),
    [((1, 3), (3, 4), True), ((4, 4), (1, 2), False), ((1, 1), (2, 4), False)],
)
def test_label_4_is_a_cavity_where_the_data_set_also_holds_3(
    tmp_path: Path, lesions: tuple[int, int], others: tuple[int, int], cavity: bool
) -> None:
    for k, (lesion, other) in enumerate(zip(lesions, others, strict=True)):
        with_label(write_subject(tmp_path, f"A{k}", k), other, lesion)
    adapter = Brats21Adapter("brats21", tmp_path, cache=tmp_path / "hashes.jsonl")
    ignored = [adapter.read_scan(s).ignore for s in adapter.subjects()]
    assert any(found is not None for found in ignored) is cavity
    assert ("mask labels" in adapter.revision()) is cavity


def test_a_mask_whose_axes_run_otherwise_is_turned(tmp_path: Path) -> None:
    folder = write_subject(tmp_path, "A", 0)
    adapter = FolderAdapter("folder", tmp_path)
    before = adapter.read_scan(adapter.subjects()[0]).lesion
    path = folder / "A_seg.nii.gz"
    nib.save(nib.as_closest_canonical(nib.load(path)), path)
    np.testing.assert_array_equal(adapter.read_scan(adapter.subjects()[0]).lesion, before)
