"""Two real MS patients through the command line, with maps made here, against figures worked out by hand."""

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from support.by_hand import check_by_hand
from support.places import SHARED
from support.small_scans import write_splits

from andi_bench.config import PreprocessingConfig
from andi_bench.records.search import find_records
from andi_bench.records.store import read_subjects
from datasets.adapters.catalogue import open_dataset
from datasets.scans.grid import mask_to_native

DATA = SHARED / "data" / "shifts_ms" / "ljubljana"
KINDS = {"flair": "FLAIR", "t1": "T1", "t1ce": "T1CE", "t2": "T2", "gt": "gt"}
VAL, TEST = "ljubljana_dev_in_7", "ljubljana_dev_in_19"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="needs the real patients in ../shared"),
]


@pytest.fixture
def patients(tmp_path):
    """Lay the two patients out as prepared Shifts-MS."""
    root = tmp_path / "shifts"
    for subject in (VAL, TEST):
        folder = root / "patients" / subject
        folder.mkdir(parents=True)
        number = subject.rsplit("_", 1)[1]
        for kind, name in KINDS.items():
            file = f"{number}_{name}_isovox.nii.gz"
            (folder / file).symlink_to(DATA / "dev_in" / kind / file)
    write_splits(root / "splits", {"train": [], "val": [VAL], "test": [TEST]})
    return root


@pytest.mark.parametrize("grid", ["working", "native"])
def test_smoothed_flair_is_measured_as_numpy_measures_it(cli, patients, tmp_path, grid):
    maps = tmp_path / "maps"
    maps.mkdir()
    scores, lesions, brains = {}, {}, {}
    # a working grid of the scan's own resolution: nothing is resized, only padded and turned
    config = PreprocessingConfig(size=218)
    adapter = open_dataset("shifts", patients, tmp_path / "elsewhere", None)
    for subject in adapter.subjects():
        flair = nib.load(subject.paths["flair"])
        image = flair.get_fdata()
        scores[subject.id] = ndimage.gaussian_filter(image, 1.0).astype(np.float32)
        nib.save(nib.Nifti1Image(scores[subject.id], flair.affine), maps / f"{subject.id}.nii.gz")
        lesions[subject.id] = nib.load(subject.mask).get_fdata() > 0.5
        volume = adapter.read(subject, config)
        brains[subject.id] = mask_to_native(volume.brain, volume.native)
        spacing = tuple(float(edge) for edge in flair.header.get_zooms()[:3])
    answer = cli(
        f"evaluate --maps {maps} --val-maps {maps} --dataset shifts "
        f"--data-root {patients} --grid {grid} --workers 1 "
        "--set preprocessing.size=218 --set evaluation.median=1",
        "--name",
        "Smoothed FLAIR",
    )
    assert answer.code == 0, answer.err
    (record,) = find_records(tmp_path / "workspace" / "records").records
    assert record.lesions.total > 10
    assert record.lesions.lost == ()
    table = read_subjects(record.folder, grid)
    check_by_hand(record.on_grid(grid), table, scores, brains, lesions, [VAL], [TEST], spacing)
