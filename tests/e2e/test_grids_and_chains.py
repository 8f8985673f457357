"""Native grid, lost lesions, post-processing, sub-groups and both protocols, through the command line."""

import json

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score
from support.histogram_file import read_histograms
from support.small_scans import PARTS, save, write_splits

from andi_bench.records.search import find_records
from andi_bench.records.store import read_subjects
from benchmark.scoring.map_store import MapStore

BASE = [
    "run",
    "--method",
    "thresholding",
    "--alone",
    "--dataset",
    "folder",
    "--device",
    "cpu",
    "--workers",
    "1",
    "--set",
    "preprocessing.size=20",
    "--set",
    "evaluation.median=3",
    "--set",
    "evaluation.bootstraps=30",
]


def run(cli, scans, *more):
    answer = cli(*BASE, "--data-root", scans, *more)
    assert answer.code == 0, answer.err
    return answer


def newest(tmp_path):
    return max(
        find_records(tmp_path / "workspace" / "records").records,
        key=lambda record: record.folder.stat().st_mtime_ns,
    )


def test_the_native_grid_measures_the_map_brought_back_against_the_untouched_mask(
    cli, scans, tmp_path
):
    exported = tmp_path / "exported"
    run(cli, scans, "--grid", "native", "--export-maps", exported)
    record = newest(tmp_path)
    assert record.grids == ("working", "native")
    assert record.protocol.shape == (20, 20, 14)
    native = record.on_grid("native")
    assert native.protocol.shape == (40, 36, 14)
    assert native.protocol.spacing_mm == (4.0, 4.0, 4.0)
    table = read_subjects(record.folder, "native").query("chain == 'raw' and point == 'val-dice'")
    threshold = native.operating_points["raw"]["val-dice"].threshold
    for line in table.to_dict("records"):
        name = line["subject"]
        values = nib.load(exported / f"{name}.nii.gz").get_fdata().astype(np.float32)
        lesion = nib.load(scans / name / f"{name}_seg.nii.gz").get_fdata() > 0
        brain = nib.load(scans / name / f"{name}_t1.nii.gz").get_fdata() > 0
        found = (values > threshold) & brain
        assert np.isnan(line["dice"]) != lesion.any()
        if lesion.any():
            dice = 2 * (found & lesion).sum() / (found.sum() + lesion.sum())
            assert line["dice"] == pytest.approx(dice)
            ap = average_precision_score(lesion[brain], values[brain])
            assert line["ap"] == pytest.approx(ap, abs=1e-6)
            assert line["lesion_ml"] == pytest.approx(lesion.sum() * 0.064)
    keys = set(read_histograms(record.folder))
    assert {"test/raw/S06/positives", "native/test/raw/S06/positives"} <= keys


def test_the_two_grids_stand_in_tables_of_their_own(cli, scans, tmp_path):
    run(cli, scans)
    run(cli, scans, "--grid", "native")
    tables = json.loads(cli("compare", "--json").out)["tables"]
    assert [table["protocol"]["grid"] for table in tables] == ["working", "native"]
    # the same maps measured twice on the working grid are one row
    assert [len(table["rows"]) for table in tables] == [1, 1]
    assert any("grid: native instead of working" in line for line in tables[1]["differs"])


def test_a_lesion_that_the_working_grid_loses_is_counted_and_named(cli, scans, tmp_path):
    path = scans / "S06" / "S06_seg.nii.gz"
    mask = nib.load(path).get_fdata().astype(np.uint8)
    mask[:, :, 11] = 0
    # the working grid reads every second voxel of the plane: one of two neighbours is lost
    mask[8, 16, 11] = mask[13, 21, 11] = mask[18, 18, 11] = mask[21, 13, 11] = 4
    save(path, mask)
    run(cli, scans)
    record = newest(tmp_path)
    spots = int(ndimage.label(mask, np.ones((3, 3, 3)))[1])
    others = [nib.load(scans / s / f"{s}_seg.nii.gz").get_fdata() for s in ("S07", "S08")]
    total = spots + sum(int(ndimage.label(other, np.ones((3, 3, 3)))[1]) for other in others)
    assert record.lesions.total == total
    assert record.lesions.lost
    assert {lesion.subject for lesion in record.lesions.lost} == {"S06"}
    assert all(lesion.ml == pytest.approx(0.064) for lesion in record.lesions.lost)
    (note,) = [note for note in record.notes if "no voxel on the working grid" in note]
    lost = len(record.lesions.lost)
    assert note.startswith(f"{lost} of {total} lesions {'has' if lost == 1 else 'have'} no voxel")
    assert "S06 0.064 ml" in note
    assert any("frozen on 2 validation subjects" in note for note in record.notes)


def test_erosion_and_small_components_are_taken_off_for_every_chain_alike(cli, scans, tmp_path):
    run(cli, scans, "--set", "evaluation.erosion=2", "--set", "evaluation.min_component_ml=2")
    record = newest(tmp_path)
    assert record.protocol.chains == ("erosion2-min2ml", "median3-erosion2-min2ml")
    assert (record.protocol.erosion, record.protocol.min_component_ml) == (2, 2.0)
    (folder,) = (tmp_path / "workspace" / "maps").iterdir()
    table = (
        read_subjects(record.folder).query("point == 'val-dice'").set_index(["subject", "chain"])
    )
    for path in folder.glob("S0[678]*.npz"):
        scored = MapStore(folder).load(path.stem)
        for chain in record.protocol.chains:
            values = scored.map * scored.brain
            if chain.startswith("median3"):
                values = ndimage.median_filter(values, 3) * scored.brain
            inner = ndimage.binary_erosion(scored.brain, iterations=2)
            threshold = record.operating_points[chain]["val-dice"].threshold
            found = (np.where(inner, values, 0) > threshold) & scored.brain
            labels, count = ndimage.label(found, np.ones((3, 3, 3)))
            ml = float(np.prod(scored.spacing)) / 1000
            for label in range(1, count + 1):
                if (labels == label).sum() * ml < 2 - 1e-9:
                    found[labels == label] = False
            lesion = scored.lesion & scored.brain
            measured = table.loc[(scored.subject, chain), "dice"]
            if lesion.any():
                dice = 2 * (found & lesion).sum() / (found.sum() + lesion.sum())
                assert measured == pytest.approx(dice)
            else:
                assert np.isnan(measured)
    # runs of another post-processing do not stand in the same table
    run(cli, scans)
    tables = json.loads(cli("compare", "--json").out)["tables"]
    assert any("erosion: " in line for table in tables for line in table["differs"])


def test_the_papers_protocol_on_a_run_takes_the_methods_own_window(cli, scans, tmp_path):
    answer = run(cli, scans, "--protocol", "paper")
    record = newest(tmp_path)
    assert record.paper.window == (0.8, 1.0)
    assert not record.paper.min_max
    assert set(record.paper.chains) == {"raw", "median3"}
    lines = (record.folder / "thresholding.csv").read_text().splitlines()
    assert len(lines) == 1 + 200 + 2
    assert (record.folder / "thresholding_mf.csv").is_file()
    assert "0.8 to 1, not scaled" in answer.out
    run(cli, scans, "--protocol", "paper", "--set", "evaluation.paper_window=[0.1,0.2]")
    assert newest(tmp_path).paper.window == (0.1, 0.2)


def test_columns_of_the_split_become_sub_groups_and_are_compared(cli, scans, tmp_path):
    folder = scans / "splits"
    lines = ["Subject_ID,site,age", "S06,A,31", "S07,B,64", "S08,A,50"]
    (folder / "scans_test.csv").write_text("\n".join(lines) + "\n")
    run(cli, scans, "--seed", "0", "--seed", "1")
    shown = cli("compare", "--by", "site")
    assert shown.code == 0, shown.err
    assert "By site" in shown.out
    markdown = tmp_path / "board.md"
    answer = cli("compare", "--by", "site", "--json", "--markdown", markdown)
    rows = json.loads(answer.out)["groups"]
    assert "by site" in markdown.read_text()
    table = read_subjects(newest(tmp_path).folder).query("chain == 'raw' and point == 'val-dice'")
    for row in rows:
        if row["pipeline"] == "raw":
            own = table[table["site"] == row["group"]]
            assert row["subjects"] == len(own)
            assert row["dice@val-dice_n"] == own.loc[own["lesion_ml"] > 0, "dice"].count()
            assert row["dice@val-dice"] is None  # fewer than five subjects
    assert "too few" in shown.out
    wrong = cli("compare", "--by", "sight")
    assert wrong.code == 2
    assert "did you mean 'site'" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--grid", "nativ"), "did you mean 'native'"),
        (("--protocol", "papers"), "did you mean 'paper'"),
        (("--set", "evaluation.paper_window=[0.3,0.1]"), "evaluation.paper_window"),
        (("--set", "evaluation.exact=perhaps"), "evaluation.exact"),
    ],
)
def test_a_wrong_choice_of_measuring_is_one_line(cli, scans, arguments, words):
    answer = cli(*BASE, "--data-root", scans, *arguments)
    assert answer.code == 2
    assert words in answer.err


def test_a_split_without_a_lesion_has_dashes_and_a_reason_but_no_nan(cli, scans, tmp_path):
    write_splits(scans / "splits", {**PARTS, "test": ["S08"]})
    answer = run(cli, scans, "--grid", "native")
    record = newest(tmp_path)
    for view in (record, record.on_grid("native")):
        assert view.summary["raw"].pooled.ap is None
        found = view.summary["raw"].subjects["ap"]
        assert (found.mean, found.n) == (None, 0)
        assert any("no lesion voxel" in note for note in view.notes)
    assert "nan" not in answer.out.lower()
