"""Shifts-MS from the published layout to prepared patients, step by step."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from support.known_affines import angle_between, worst_landmark
from support.raw_shifts import contents, raw_path, truth_of
from support.small_scans import write_splits

from datasets.adapters.shifts import ShiftsAdapter
from datasets.prepare.sidecar import read_preparation
from datasets.scans.nifti import read_nifti

IDS = ["best_train_1", "ljubljana_dev_in_7"]
KEYS = [("best", "train", "1"), ("ljubljana", "dev_in", "7")]
KEY = KEYS[1]


@pytest.fixture
def raw(raw_shifts, tmp_path):
    """A copy of the raw data that a test may damage."""
    return shutil.copytree(raw_shifts, tmp_path / "raw")


@pytest.fixture
def prepare(cli, coarse, tmp_path):
    """Run ``prepare shifts``, or one of its steps, into the test's own folder."""

    def run(step, *more):
        options = {
            "": ("--template", coarse, "--workers", "1"),
            "organise": (),
            "register": ("--template", coarse, "--workers", "1"),
            "match": ("--workers", "1"),
        }[step]
        return cli(
            "prepare",
            "shifts",
            *filter(None, [step]),
            "--output",
            tmp_path / "out",
            *options,
            *more,
        )

    return run


def lines_about(answer, subject):
    return [line for line in answer.err.splitlines() if line.startswith(f"failed: {subject}:")]


def test_from_the_published_layout_to_patients_that_the_benchmark_reads(
    raw_shifts, finished, icbm, coarse
):
    adapter = ShiftsAdapter("shifts", finished)
    subjects = adapter.subjects()
    assert [s.id for s in subjects] == IDS
    assert [s.site for s in subjects] == ["best", "ljubljana"]
    target = nib.load(coarse)
    landmarks = np.argwhere(icbm.brain)[::2003] @ icbm.affine[:3, :3].T + icbm.affine[:3, 3]
    for key, subject in zip(KEYS, subjects, strict=True):
        sidecar = read_preparation(finished / "patients" / subject.id)
        truth = truth_of(key, icbm)
        in_scan = landmarks @ np.linalg.inv(truth)[:3, :3].T + np.linalg.inv(truth)[:3, 3]
        assert worst_landmark(sidecar.to_prepared, truth, in_scan) < 2.0  # half a voxel of 4 mm
        assert angle_between(sidecar.to_prepared, truth) < 1.0
        assert sidecar.registration.dice_after > 0.9 > sidecar.registration.dice_before
        assert sidecar.all_warnings == ()
        assert set(sidecar.files) == {"flair", "t1", "t1ce", "t2", "pd", "mask", "fg_mask"}
        assert sidecar.files["t1"].path == str(raw_path(raw_shifts, key, "t1"))
        for path in (finished / "patients" / subject.id).glob("*.nii.gz"):
            assert np.array_equal(nib.load(path).affine, target.affine)
            assert nib.load(path).shape == target.shape[:3]


def test_masks_are_carried_by_nearest_neighbour_and_land_on_what_they_mark(raw_shifts, finished):
    for key, name in zip(KEYS, IDS, strict=True):
        folder = finished / "patients" / name
        sidecar = read_preparation(folder)
        for kind in ("seg", "fg_mask"):
            mask = read_nifti(folder / f"{name}_{kind}.nii.gz").values
            assert mask.dtype == np.uint8
            assert set(np.unique(mask)) == {0, 1}
            original = read_nifti(raw_path(raw_shifts, key, "gt")).values if kind == "seg" else None
            if original is not None:
                grown = abs(np.linalg.det(sidecar.to_prepared[:3, :3]))
                assert mask.sum() == pytest.approx(original.sum() * grown, rel=0.12)  # 113 voxels
        flair = read_nifti(folder / f"{name}_flair.nii.gz").values
        lesion = read_nifti(folder / f"{name}_seg.nii.gz").values == 1
        # the ball is brighter than anything else, but for the blur of its rim
        assert np.median(flair[lesion]) > 1.3 * np.quantile(flair[(flair > 0) & ~lesion], 0.99)


def test_the_steps_one_by_one_leave_what_the_whole_command_leaves(
    prepare, raw_shifts, finished_once, tmp_path
):
    before = contents(raw_shifts)
    for step, more in (("organise", ("--raw", raw_shifts)), ("register", ()), ("match", ())):
        answer = prepare(step, *more)
        assert answer.code == 0, answer.err
    assert answer.out.strip() == str(tmp_path / "out")
    assert contents(tmp_path / "out") == contents(finished_once)
    assert contents(raw_shifts) == before  # nothing moved, nothing changed


def test_finished_patients_are_found_again_and_changed_ones_are_redone(prepare, raw, tmp_path):
    assert prepare("", "--raw", raw).code == 0
    out = tmp_path / "out"
    before, times = contents(out), {p: p.stat().st_mtime_ns for p in out.rglob("*.nii.gz")}
    answer = prepare("", "--raw", raw)
    assert answer.err.count("2 patients, 2 of them before") == 3
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.nii.gz")} == times

    path = raw_path(raw, KEY, "t2")
    scan = nib.load(path)
    nib.save(nib.Nifti1Image(2 * scan.get_fdata(), scan.affine), path)
    assert prepare("", "--raw", raw).code == 0
    after = contents(out)
    changed = {name for name in after if after[name] != before[name]}
    where = {
        f"{step}/{IDS[1]}/{file}"
        for step in ("registered", "patients")
        for file in (f"{IDS[1]}_t2.nii.gz", "preparation.json")
    }
    assert changed == where


def test_copies_instead_of_links(prepare, raw_shifts, tmp_path):
    assert prepare("organise", "--raw", raw_shifts, "--copy").code == 0
    files = list((tmp_path / "out" / "organised").rglob("*.nii.gz"))
    assert len(files) == 14
    assert not any(path.is_symlink() for path in files)
    assert "2 of them before" in prepare("organise", "--raw", raw_shifts, "--copy").err
    assert "2 of them before" not in prepare("organise", "--raw", raw_shifts).err


def test_another_template_replaces_nothing_unasked(prepare, finished, coarse, write, tmp_path):
    for name in IDS[1:]:
        for step in ("organised", "registered", "patients"):
            shutil.rmtree(finished / step / name)
    before = contents(finished)
    scan = nib.load(coarse)
    other = write(tmp_path / "other.nii", scan.get_fdata() * 1.5, scan.affine)
    answer = prepare("register", "--template", other)
    assert answer.code == 2
    assert "another template (T1_brain.nii, not other.nii)" in answer.err
    assert contents(finished) == before
    assert prepare("register", "--template", other, "--replace").code == 0
    sidecar = read_preparation(finished / "registered" / IDS[0])
    assert sidecar.registration.template == "other.nii"


def truncated(raw, key):
    path = raw_path(raw, key, "flair")
    path.write_bytes(path.read_bytes()[:-3000])


def zero_filled(raw, key):
    path = raw_path(raw, key, "flair")
    path.write_bytes(bytes(path.stat().st_size))


def all_zero(raw, key):
    path = raw_path(raw, key, "t1")
    nib.save(nib.Nifti1Image(np.zeros((56, 64, 52), np.float32), nib.load(path).affine), path)


def four_volumes(raw, key):
    path = raw_path(raw, key, "t2")
    scan = nib.load(path)
    nib.save(nib.Nifti1Image(np.stack([scan.get_fdata()] * 2, -1), scan.affine), path)


def mask_elsewhere(raw, key):
    path = raw_path(raw, key, "gt")
    scan = nib.load(path)
    affine = scan.affine.copy()
    affine[:3, 3] += 40
    nib.save(nib.Nifti1Image(np.asarray(scan.dataobj), affine), path)


def no_t1(raw, key):
    raw_path(raw, key, "t1").unlink()


def no_image(raw, key):
    raw_path(raw, key, "t1").write_bytes(b"a page that says: file not found")


def two_t1(raw, key):
    path = raw_path(raw, key, "t1")
    shutil.copyfile(path, path.with_name(path.name.replace("T1", "t1")))


DAMAGES = {
    truncated: ("FLAIR_isovox.nii.gz", "truncated or damaged gzip"),
    zero_filled: ("FLAIR_isovox.nii.gz", "not a NIfTI file"),
    all_zero: ("T1_isovox.nii.gz", "every voxel is zero"),
    four_volumes: ("T2_isovox.nii.gz", "56x64x52x2", "one 3-D volume wanted"),
    mask_elsewhere: ("gt_isovox.nii.gz", "affine", "one grid wanted"),
    no_t1: ("no t1 file", "flair, t1ce, t2, pd, mask, fg_mask found"),
    no_image: ("T1_isovox.nii.gz", "not a NIfTI file"),
    two_t1: ("T1_isovox.nii.gz", "t1_isovox.nii.gz", "one of them wanted"),
}


def test_a_damaged_patient_is_one_line_and_the_others_go_on(prepare, raw_shifts, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(raw_shifts / "best" / "train", raw / "best" / "train")
    for number, damage in enumerate(DAMAGES, start=10):
        for path in (raw_shifts / "ljubljana" / "dev_in").rglob("7_*.nii.gz"):
            copy = raw / path.relative_to(raw_shifts).with_name(f"{number}{path.name[1:]}")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        damage(raw, ("ljubljana", "dev_in", str(number)))
    answer = prepare("", "--raw", raw)
    assert answer.code == 1, answer.err
    assert "Traceback" not in answer.err
    for number, words in enumerate(DAMAGES.values(), start=10):
        (line,) = lines_about(answer, f"ljubljana_dev_in_{number}")
        for word in words:
            assert word in line
    assert f"{len(DAMAGES)} patients failed" in answer.err
    out = tmp_path / "out"
    for step in ("registered", "patients"):
        assert [path.name for path in (out / step).iterdir()] == [IDS[0]]
    assert [s.id for s in ShiftsAdapter("shifts", out).subjects()] == [IDS[0]]
    assert (out / "contact-sheet-01.png").is_file()


def test_modalities_under_each_others_names_are_pointed_at(prepare, raw):
    shutil.rmtree(raw / "best")
    t1ce, t2 = (raw_path(raw, KEY, kind) for kind in ("t1ce", "t2"))
    one, other = t1ce.read_bytes(), t2.read_bytes()
    t1ce.write_bytes(other)
    t2.write_bytes(one)
    answer = prepare("", "--raw", raw)
    assert answer.code == 0, answer.err
    assert f"warning: {IDS[1]}: t1ce and t2 look swapped" in answer.err


@pytest.mark.parametrize("step", ["registered", "patients"])
def test_a_full_disk_is_a_line_a_patient_and_leaves_nothing_half_written(
    prepare, raw_shifts, finished, finished_once, monkeypatch, step
):
    from andi_bench import files as atomic

    def full(handle):
        raise OSError(28, "No space left on device")

    names = IDS if step == "patients" else IDS[:1]
    for name in names:
        shutil.rmtree(finished / step / name)
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "fsync", full)
        answer = prepare({"registered": "register", "patients": "match"}[step])
    assert answer.code != 0
    assert len([line for line in answer.err.splitlines() if "No space left on device" in line]) >= 1
    assert sorted(path.name for path in (finished / step).iterdir()) == IDS[len(names) :]
    assert prepare("", "--raw", raw_shifts).code == 0
    assert contents(finished) == contents(finished_once)


def test_what_is_not_from_a_preparation_is_left_alone(prepare, raw_shifts, finished):
    shutil.rmtree(finished / "registered" / IDS[0])
    mine = finished / "registered" / IDS[0] / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("three years of work")
    answer = prepare("", "--raw", raw_shifts)
    assert answer.code == 1
    assert "left alone" in lines_about(answer, IDS[0])[0]
    assert mine.read_text() == "three years of work"


def test_a_folder_of_something_else_is_refused(prepare, tmp_path):
    (tmp_path / "empty").mkdir()
    answer = prepare("", "--raw", tmp_path / "empty")
    assert answer.code == 2
    assert "<set>/<split>/<kind>" in answer.err
    assert "--raw DIR wanted" in prepare("").err
    assert prepare("register").code == 2
    assert prepare("match").code == 2
    assert "the step register wanted first" in prepare("match").err


def test_options_before_a_step_s_name_are_not_lost_in_silence(cli, tmp_path):
    answer = cli("prepare", "shifts", "--output", tmp_path, "register")
    assert answer.code == 2
    assert "its options come after the step's name" in answer.err


def test_a_damaged_sidecar_is_its_patient_s_line_alone(prepare, raw_shifts, finished):
    path = finished / "registered" / IDS[0] / "preparation.json"
    path.write_text(path.read_text()[:500])
    answer = prepare("", "--raw", raw_shifts)
    assert answer.code == 1
    assert "preparation.json: damaged" in lines_about(answer, IDS[0])[0]
    assert not lines_about(answer, IDS[1])
    path.unlink()
    path.with_name(f"{IDS[0]}_t1.nii.gz").unlink()
    shutil.rmtree(path.parent)
    assert prepare("match").code == 0  # the patients' folder still has what was matched before


def test_a_mask_keeps_its_labels_and_a_resampled_one_is_cut_at_a_half(tmp_path, write):
    from datasets.prepare.register.register_step import mask_labels

    labels = np.zeros((6, 6, 6))
    labels[1, 1, :3] = (1, 2, 4)
    assert set(np.unique(mask_labels(read_nifti(write(tmp_path / "a.nii", labels))))) == {
        0,
        1,
        2,
        4,
    }
    labels[1, 1, :3] = (0.3, 0.51, 1.02)
    cut = mask_labels(read_nifti(write(tmp_path / "b.nii", labels)))
    assert np.array_equal(cut[1, 1, :3], (0, 1, 1))
    assert cut.dtype == np.uint8


RUN = (
    "--alone",
    "--device",
    "cpu",
    "--workers",
    "1",
    "--set",
    "preprocessing.modalities=[flair,t1]",
)


def test_one_patient_under_two_kinds_is_not_in_two_parts(raw, prepare, cli, tmp_path):
    for kind in ("flair", "t1"):  # the same patient once more, among those of another kind
        first = raw_path(raw, ("best", "train", "1"), kind)
        again = raw_path(raw, ("best", "eval_in", "4"), kind)
        again.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(first, again)
        if kind == "t1":
            mask = raw_path(raw, ("best", "train", "1"), "gt")
            other = raw_path(raw, ("best", "eval_in", "4"), "gt")
            other.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(mask, other)
    assert prepare("", "--raw", raw).code == 0
    splits = tmp_path / "splits"
    write_splits(splits, {"train": [], "val": ["best_train_1"], "test": ["ljubljana_dev_in_7"]})
    command = f"run -m thresholding -d shifts --data-root {tmp_path / 'out'} --splits {splits}"
    assert cli(command, *RUN).code == 0
    write_splits(splits, {"test": ["best_eval_in_4", "ljubljana_dev_in_7"]})
    answer = cli(command, *RUN)
    assert answer.code == 2
    assert "best_train_1 (val) and best_eval_in_4 (test) are the same scan" in answer.err
    # two scans of one patient, which a column of the split tells
    (splits / "scans_val.csv").write_text("id,person\nbest_train_1,P\n")
    (splits / "scans_test.csv").write_text("id,person\nljubljana_dev_in_7,P\n")
    answer = cli(command, *RUN)
    assert answer.code == 2
    assert "best_train_1 (val) and ljubljana_dev_in_7 (test) are scans of one person" in answer.err
