"""Maps made elsewhere, through the command line, against figures worked out by hand."""

import gzip
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.by_hand import check_by_hand
from support.small_scans import AFFINE, PARTS, SHAPE, save

from andi_bench.records.search import find_records
from andi_bench.records.store import read_subjects, without_measured

NAMES = [*PARTS["val"], *PARTS["test"]]
SAME_GRID = [
    "--set",
    "preprocessing.size=40",
    "--set",
    "preprocessing.field_of_view=null",
    "--set",
    "evaluation.median=3",
    "--set",
    "evaluation.bootstraps=50",
    "--workers",
    "1",
]
"""A working grid that the small scans need not be resized to."""


def write_maps(scans: Path, folder: Path, names=NAMES, seed=0) -> dict[str, np.ndarray]:
    """Write a noisy FLAIR as a map of each subject; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    out = {}
    for name in names:
        image = nib.load(scans / name / f"{name}_flair.nii.gz").get_fdata()
        noise = np.random.default_rng([seed, int(name[1:])]).normal(size=image.shape)
        out[name] = ((image / 500 + 0.3 * noise + 2) * (image > 0)).astype(np.float32)
        save(folder / f"{name}.nii.gz", out[name])
    return out


@pytest.fixture
def maps(scans, tmp_path):
    folder = tmp_path / "maps"
    write_maps(scans, folder)
    return folder


def evaluate(cli, scans, maps, *more, val=True, name="My method"):
    command = f"evaluate --maps {maps} --dataset folder --data-root {scans}"
    if val:
        command += f" --val-maps {maps}"
    return cli(command, "--name", name, *SAME_GRID, *more)


def records_of(tmp_path):
    found = find_records(tmp_path / "workspace" / "records")
    assert not found.skipped
    return {record.run.method: record for record in found.records}


def test_maps_written_by_a_run_get_the_runs_own_figures(cli, scans, tmp_path):
    exported = tmp_path / "exported"
    command = (
        f"run --method thresholding --alone --dataset folder --data-root {scans} "
        f"--device cpu --export-maps {exported}"
    )
    assert cli(command, *SAME_GRID).code == 0
    assert cli(command, *SAME_GRID, "--split", "val").code == 0
    answer = cli(
        f"evaluate --maps {exported} --val-maps {exported} --name Copy "
        f"--dataset folder --data-root {scans}",
        *SAME_GRID,
    )
    assert answer.code == 0, answer.err
    found = find_records(tmp_path / "workspace" / "records").records
    run = next(r for r in found if r.run.method == "thresholding" and r.run.split == "test")
    copy = next(r for r in found if r.run.method == "copy")
    for part in ("summary", "operating_points", "groups", "lesions"):
        mine, other = (without_measured(r.model_dump(mode="json")[part]) for r in (copy, run))
        assert mine == other
    assert copy.protocol == run.protocol
    # one table, equal figures, one rank
    table = cli("compare", "--dataset", "folder", "--json").out
    rows = json.loads(table)["tables"][0]["rows"]
    ranks = {(row["label"], row["pipeline"]): row["rank"] for row in rows}
    assert len(ranks) == 2
    assert len({pipeline for _, pipeline in ranks}) == 1
    assert len(set(ranks.values())) == 1


def test_every_figure_equals_numpys(cli, scans, maps, tmp_path):
    answer = evaluate(cli, scans, maps)
    assert answer.code == 0, answer.err
    record = records_of(tmp_path)["my-method"]
    assert record.run.label == "My method"
    assert record.unranked is None
    assert record.method.family == "maps made elsewhere"
    assert record.data.healthy_source == "not known"
    table = read_subjects(record.folder)
    brains, lesions, scores = {}, {}, {}
    for name in NAMES:
        images = [
            nib.load(scans / name / f"{name}_{m}.nii.gz").get_fdata() for m in ("flair", "t1")
        ]
        brains[name] = np.any([image > 0 for image in images], axis=0)
        lesions[name] = nib.load(scans / name / f"{name}_seg.nii.gz").get_fdata() > 0
        scores[name] = nib.load(maps / f"{name}.nii.gz").get_fdata().astype(np.float32)
    check_by_hand(record, table, scores, brains, lesions, PARTS["val"], PARTS["test"], (4, 4, 4))


def test_without_validation_maps_the_row_is_shown_unranked_with_the_reason(
    cli, scans, maps, tmp_path
):
    answer = evaluate(cli, scans, maps, val=False)
    assert answer.code == 0, answer.err
    record = records_of(tmp_path)["my-method"]
    assert record.unranked == (
        "no maps of the validation subjects (--val-maps), so no frozen threshold"
    )
    assert set(record.operating_points["raw"]) == {"yen", "oracle"}
    assert "My method has no rank" in answer.out


def test_the_same_maps_are_evaluated_once_and_changed_ones_anew(cli, scans, maps, tmp_path):
    assert evaluate(cli, scans, maps).code == 0
    again = evaluate(cli, scans, maps)
    assert "was there already" in again.err
    write_maps(scans, maps, seed=1)
    assert "was there already" not in evaluate(cli, scans, maps).err
    assert len(list((tmp_path / "workspace" / "records").iterdir())) == 2


def test_maps_on_another_grid_are_resampled_through_the_world_and_said_so(
    cli, scans, maps, tmp_path
):
    assert evaluate(cli, scans, maps, name="own grid").code == 0
    finer = tmp_path / "finer"
    finer.mkdir()
    for name in NAMES:
        image = nib.load(maps / f"{name}.nii.gz")
        # twice as fine along x, turned round along y, one more slice at either end
        values = np.repeat(image.get_fdata(), 2, axis=0)[:, ::-1]
        values = np.pad(values, ((0, 0), (0, 0), (1, 1)))
        affine = AFFINE @ np.array(
            [[0.5, 0, 0, -0.25], [0, -1, 0, SHAPE[1] - 1], [0, 0, 1, -1], [0, 0, 0, 1]]
        )
        save(finer / f"{name}.nii.gz", values.astype(np.float32), affine)
    answer = evaluate(cli, scans, finer, name="finer grid")
    assert answer.code == 0, answer.err
    records = records_of(tmp_path)
    one, other = (records[n].summary["raw"] for n in ("own-grid", "finer-grid"))
    assert other.pooled.ap == pytest.approx(one.pooled.ap, abs=1e-9)
    assert any(
        "5 maps (S04, ...)" in note and "resampled" in note for note in records["finer-grid"].notes
    )


def test_maps_with_their_axes_turned_are_the_same_maps(cli, scans, maps, tmp_path):
    coarse = ("--set", "preprocessing.size=20")
    assert evaluate(cli, scans, maps, *coarse, name="as scanned").code == 0
    turned = tmp_path / "turned"
    turned.mkdir()
    for name in NAMES:
        image = nib.load(maps / f"{name}.nii.gz")
        # the shape stays the scan's where axes are only reversed
        axes = [[0, -1], [1, -1], [2, 1]] if name != "S07" else [[2, 1], [0, -1], [1, 1]]
        nib.save(image.as_reoriented(np.array(axes)), turned / f"{name}.nii.gz")
    answer = evaluate(cli, scans, turned, *coarse, name="turned")
    assert answer.code == 0, answer.err
    records = records_of(tmp_path)
    assert records["turned"].summary == records["as-scanned"].summary
    assert not any("resampled" in note for note in records["turned"].notes)


def test_validation_scans_that_are_lesion_throughout_have_no_rates_but_a_record(
    cli, scans, maps, tmp_path
):
    for name in PARTS["val"]:
        save(scans / name / f"{name}_seg.nii.gz", np.ones(SHAPE, np.uint8))
    answer = evaluate(cli, scans, maps)
    assert answer.code == 0, answer.err
    points = records_of(tmp_path)["my-method"].operating_points["raw"]
    assert set(points) == {"val-dice", "yen", "oracle"}


def test_a_split_with_a_column_named_grid_is_ranked_like_any_other(cli, scans, maps, tmp_path):
    lines = ["Subject_ID,grid", "S06,A", "S07,B", "S08,A"]
    (scans / "splits" / "scans_test.csv").write_text("\n".join(lines) + "\n")
    assert evaluate(cli, scans, maps).code == 0
    rows = json.loads(cli("compare", "--json").out)["tables"][0]["rows"]
    assert {row["label"] for row in rows} == {"My method"}
    assert all(row["rank"] for row in rows)


def test_maps_on_the_working_grid_are_taken_as_they_are(cli, scans, maps, tmp_path):
    from andi_bench.config import PreprocessingConfig
    from datasets.adapters.catalogue import open_dataset
    from datasets.scans.grid import to_working

    adapter = open_dataset("folder", scans, tmp_path / "elsewhere", None)
    small = tmp_path / "small"
    small.mkdir()
    config = PreprocessingConfig(size=20)
    for subject in adapter.subjects():
        if subject.id in NAMES:
            volume = adapter.read(subject, config)
            values = nib.load(maps / f"{subject.id}.nii.gz").get_fdata()
            save(
                small / f"{subject.id}.nii.gz", to_working(values, volume.native, 20), volume.affine
            )
    coarse = ("--set", "preprocessing.size=20")
    assert evaluate(cli, scans, maps, *coarse, name="scan grid").code == 0
    assert evaluate(cli, scans, small, *coarse, name="working grid").code == 0
    records = records_of(tmp_path)
    assert records["scan-grid"].summary == records["working-grid"].summary
    assert not any("resampled" in note for note in records["working-grid"].notes)


def refused(answer, *words):
    lines = [line for line in answer.err.splitlines() if line.startswith("andi-bench:")]
    assert answer.code == 2, (answer.code, answer.err)
    assert len(lines) == 1
    for word in words:
        assert word in lines[0], lines[0]


def change(maps: Path, edit, affine=AFFINE):
    values = nib.load(maps / "S06.nii.gz").get_fdata().astype(np.float32)
    save(maps / "S06.nii.gz", edit(values), affine)


def nan(maps):
    def spoil(values):
        values[3, 3, 3] = np.nan
        values[20, 18, 7] = np.inf
        return values

    change(maps, spoil)


def cropped(maps):
    change(maps, lambda values: np.ascontiguousarray(values[:, :18]))


def moved(maps):
    affine = AFFINE.copy()
    affine[0, 3] += 9
    change(maps, lambda values: values, affine)


def missing(maps):
    (maps / "S07.nii.gz").unlink()


def empty(maps):
    shutil.rmtree(maps)
    maps.mkdir()


def absent(maps):
    shutil.rmtree(maps)


def truncated(maps):
    path = maps / "S06.nii.gz"
    path.write_bytes(path.read_bytes()[:-400])


def no_nifti(maps):
    (maps / "S06.nii.gz").write_bytes(gzip.compress(b"a map, surely"))


def four_volumes(maps):
    change(maps, lambda values: np.stack([values] * 4, axis=-1))


def twice(maps):
    (maps / "S06.nii").write_bytes(gzip.decompress((maps / "S06.nii.gz").read_bytes()))


DAMAGES = {
    nan: ("S06.nii.gz", "2 voxels are NaN or infinite"),
    cropped: ("S06.nii.gz", "of the brain of subject S06", "at least 95%"),
    moved: ("S06.nii.gz", "another affine", "S06"),
    missing: ("no map of subject S07", "1 of 3"),
    empty: ("no map in it",),
    absent: ("no such folder of maps",),
    truncated: ("S06.nii.gz", "truncated"),
    no_nifti: ("S06.nii.gz", "not a NIfTI"),
    four_volumes: ("S06.nii.gz", "40x36x14x4"),
    twice: ("S06.nii.gz and S06.nii",),
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
def test_a_map_that_cannot_be_used_is_one_line_and_leaves_no_record(
    cli, scans, maps, tmp_path, damage
):
    damage(maps)
    refused(evaluate(cli, scans, maps), *DAMAGES[damage])
    assert not list((tmp_path / "workspace" / "records").glob("[!.]*"))


@pytest.mark.parametrize("name", ["", "  ", "!?", "x" * 61, "bad\nname"])
def test_a_name_that_cannot_stand_in_a_table_is_refused(cli, scans, maps, name):
    refused(evaluate(cli, scans, maps, name=name), "--name")


EDITS = {
    "constant": lambda v: np.full_like(v, 3.0),
    "negative": lambda v: v - 5,
    "integer": lambda v: (100 * v).astype(np.int16),
    "huge": lambda v: v * np.float32(1e30),
    "tiny": lambda v: v * np.float32(1e-30),
}


@pytest.mark.parametrize("kind", EDITS)
def test_unusual_scores_have_defined_results(cli, scans, maps, tmp_path, kind):
    for name in NAMES:
        values = nib.load(maps / f"{name}.nii.gz").get_fdata().astype(np.float32)
        save(maps / f"{name}.nii.gz", EDITS[kind](values))
    assert evaluate(cli, scans, maps).code == 0
    record = records_of(tmp_path)["my-method"]
    pooled = record.summary["raw"].pooled
    if kind == "constant":
        assert pooled.ap == pytest.approx(pooled.prevalence)
        assert pooled.auroc == pytest.approx(0.5)
        assert record.operating_points["raw"]["val-dice"].edge
    else:
        plain = tmp_path / "plain"
        write_maps(scans, plain)
        assert evaluate(cli, scans, plain, name="plain").code == 0
        other = records_of(tmp_path)["plain"].summary["raw"].pooled
        # an order-preserving change changes no ranking; integers tie what lay close
        assert pooled.ap == pytest.approx(other.ap, abs=0.02 if kind == "integer" else 1e-4)
    assert any("negative" in note for note in record.notes) == (kind == "negative")


def test_maps_of_no_subject_are_named_and_left_alone(cli, scans, maps, tmp_path):
    shutil.copyfile(maps / "S06.nii.gz", maps / "S99.nii.gz")
    (maps / "notes.txt").write_text("nothing")
    assert evaluate(cli, scans, maps).code == 0
    notes = records_of(tmp_path)["my-method"].notes
    assert "left alone: 1 file of no subject of the data set: S99.nii.gz" in notes


MASKS = {
    "labels 1, 2, 4": lambda m: m * np.array([1, 2, 4])[np.indices(m.shape).sum(axis=0) % 3],
    "0 and 255": lambda m: 255 * m,
    "probabilities": lambda m: np.where(m, 0.7, 0.2 * (np.indices(m.shape).sum(0) % 2)),
}


@pytest.mark.parametrize("kind", MASKS)
def test_masks_of_every_coding_mean_the_same_lesion(cli, scans, maps, tmp_path, kind):
    assert evaluate(cli, scans, maps, name="coded 0 and 4").code == 0
    for name in NAMES:
        path = scans / name / f"{name}_seg.nii.gz"
        mask = nib.load(path).get_fdata() > 0
        dtype = np.float32 if kind == "probabilities" else np.uint8
        save(path, MASKS[kind](mask).astype(dtype))
    assert evaluate(cli, scans, maps, name="coded otherwise").code == 0
    records = records_of(tmp_path)
    assert records["coded-0-and-4"].summary == records["coded-otherwise"].summary
