"""The publication's protocol through the command line, against golden values."""

import numpy as np
import pytest
from support.small_scans import save, write_splits

from andi_bench.records.search import find_records
from benchmark.conformance.golden_values import golden_subjects, golden_values


def test_the_papers_protocol_gives_the_golden_values_and_the_published_files(cli, tmp_path):
    golden, subjects = golden_values(), golden_subjects()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])  # LPS: the working grid's own orientation
    scans, maps = tmp_path / "scans", tmp_path / "maps"
    maps.mkdir()
    for k, (values, mask) in enumerate(subjects):
        folder = scans / f"G{k}"
        folder.mkdir(parents=True)
        brain = values != 0
        texture = 100 + k + np.arange(values.size).reshape(values.shape) % (17 + k)
        for modality in ("flair", "t1", "t1ce", "t2"):
            save(folder / f"G{k}_{modality}.nii.gz", (texture * brain).astype(np.int16), affine)
        save(folder / f"G{k}_seg.nii.gz", mask.astype(np.uint8), affine)
        save(maps / f"G{k}.nii.gz", values, affine)
    write_splits(scans / "splits", {"train": [], "val": [], "test": ["G0", "G1", "G2"]})
    answer = cli(
        f"evaluate --maps {maps} --name golden --dataset folder --data-root {scans} "
        "--protocol paper --set preprocessing.size=32 --set preprocessing.field_of_view=null --workers 1"
    )
    assert answer.code == 0, answer.err
    assert "By the paper's protocol" in answer.out
    (record,) = find_records(tmp_path / "workspace" / "records").records
    for chain, name in (("raw", "golden.csv"), ("median5", "golden_mf.csv")):
        lines = (record.folder / name).read_text().splitlines()
        assert lines[0] == "thr,value"
        assert len(lines) == 1 + 290 + 2
        rows = dict(line.split(",") for line in lines[1:])
        assert list(rows)[-2:] == ["yen", "AUPRC"]
        wanted, found = golden[chain], record.paper.chains[chain]
        near = pytest.approx
        assert float(rows["AUPRC"]) == near(wanted["auprc"], abs=1e-6)
        assert float(rows["yen"]) == near(wanted["yen_dice"], abs=1e-6)
        for threshold, value in wanted["dice_at"].items():
            assert float(rows[threshold]) == near(value, abs=1e-6)
        assert found.threshold == near(wanted["best_threshold_in_window"])
        assert found.dice == near(wanted["best_dice_in_window"], abs=1e-6)
        assert found.edge  # 0.299 is the last step of the window
        assert found.auprc == near(wanted["auprc"], abs=1e-6)
