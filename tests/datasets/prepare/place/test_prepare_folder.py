"""Anyone's own scans: a CSV, a pattern or BIDS says what is what; a head is told from a brain."""

import csv
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from support.downloads import tree, without_figures
from support.phantoms import PHANTOM
from support.small_scans import AFFINE, SHAPE, save, write_subject

from datasets.phantom.recipe import make_subject, subjects_of
from datasets.phantom.template import load_template
from datasets.prepare.check.subject_files import check_subject
from datasets.prepare.register.skull_strip import derive_brain, is_stripped
from datasets.scans.lesion_mask import LesionRule

SPACING = 3.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch, request):
    if "report" not in request.node.name:
        without_figures(monkeypatch)


def prepare(cli, *arguments, output):
    return cli("prepare", "folder", *arguments, "--output", output, "--workers", "1")


def sidecars(root):
    return {p.parent.name: json.loads(p.read_text()) for p in root.glob("*/preparation.json")}


def rows_of(root):
    out = {}
    for part in ("train", "val", "test"):
        with (root / "splits" / f"scans_{part}.csv").open() as file:
            for row in csv.DictReader(file):
                out[row["Subject_ID"]] = {**row, "part": part}
    return out


@pytest.fixture
def loose(tmp_path):
    """Four subjects whose files are named as somebody once named them."""
    root = tmp_path / "loose"
    root.mkdir()
    for k in range(4):
        folder = write_subject(tmp_path / "made", f"P{k}", k)
        for kind in ("flair", "t1", "t1ce", "t2", "seg"):
            shutil.move(folder / f"P{k}_{kind}.nii.gz", root / f"{kind}-of-{k}.nii.gz")
    return root


def write_table(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_csv_says_which_file_is_what_and_its_other_columns_come_along(cli, tmp_path, loose):
    table = write_table(
        loose / "scans.csv",
        [
            "subject;FLAIR;T1Gd;mask;site;age;split",
            "A;flair-of-0.nii.gz;t1ce-of-0.nii.gz;seg-of-0.nii.gz;Oslo;61;train",
            "B;flair-of-1.nii.gz;t1ce-of-1.nii.gz;healthy;Oslo;;val",
            "C;flair-of-2.nii.gz;t1ce-of-2.nii.gz;;Bern;70;test",
        ],
    )
    before = tree(loose)
    output = tmp_path / "prepared"
    answer = prepare(cli, "--csv", table, output=output)
    assert answer.code == 0, answer.err
    assert tree(loose) == before
    rows = rows_of(output)
    assert {name: row["part"] for name, row in rows.items()} == {
        "A": "train",
        "B": "val",
        "C": "test",
    }
    assert (rows["A"]["site"], rows["A"]["age"], rows["C"]["site"]) == ("Oslo", "61", "Bern")
    assert sorted(p.name for p in (output / "A").iterdir()) == [
        "A_flair.nii.gz",
        "A_seg.nii.gz",
        "A_t1ce.nii.gz",
        "preparation.json",
    ]
    assert (output / "A" / "A_t1ce.nii.gz").resolve() == loose / "t1ce-of-0.nii.gz"
    empty = nib.load(output / "B" / "B_seg.nii.gz")
    assert not np.asarray(empty.dataobj).any()
    assert empty.shape == SHAPE
    np.testing.assert_array_equal(empty.affine, AFFINE)
    assert "mask" not in sidecars(output)["C"]["files"]
    assert "--set preprocessing.modalities=[flair,t1ce]" in answer.out
    refusal = cli(
        *("run", "--method", "thresholding", "--alone", "--dataset", "folder"),
        *("--data-root", output, "--set", "preprocessing.size=32"),
    )
    assert refusal.code == 2
    assert "--set preprocessing.modalities=[flair,t1ce]" in refusal.err


def test_each_wrong_row_is_one_line_and_the_others_are_prepared(cli, tmp_path, loose):
    table = write_table(
        loose / "scans.csv",
        [
            "subject,flair,mask,split",
            "A,flair-of-0.nii.gz,seg-of-0.nii.gz,",
            "A,flair-of-1.nii.gz,,",
            "B,no-such-file.nii.gz,,",
            "C,,seg-of-2.nii.gz,",
            "../D,flair-of-3.nii.gz,,",
            "E,flair-of-2.nii.gz,,training",
        ],
    )
    answer = prepare(cli, "--csv", table, output=tmp_path / "prepared")
    assert answer.code == 1
    lines = [line for line in answer.err.splitlines() if line.startswith("not prepared")]
    for line, words in zip(
        lines,
        [
            ("line 3", "A stands there twice"),
            ("line 4", "B, flair", "no-such-file.nii.gz"),
            ("line 5", "subject C: no scan"),
            ("line 6", "'../D'"),
            ("line 7", "split 'training'"),
        ],
        strict=True,
    ):
        assert all(word in line for word in words), line
    assert list(sidecars(tmp_path / "prepared")) == ["A"]


def test_a_pattern_finds_sessions_and_columns_and_keeps_a_person_in_one_part(cli, tmp_path):
    for k in range(8):
        folder = write_subject(tmp_path / "made", f"X{k}", k)
        place = tmp_path / "study" / ("oslo" if k < 4 else "bern") / f"p{k // 2}" / f"visit{k % 2}"
        place.mkdir(parents=True)
        shutil.move(folder / f"X{k}_flair.nii.gz", place / "flair.nii.gz")
        shutil.move(folder / f"X{k}_t1ce.nii.gz", place / "T1post.nii.gz")
        shutil.move(folder / f"X{k}_seg.nii.gz", place / "lesion.nii.gz")
        shutil.move(folder / f"X{k}_t2.nii.gz", place / "dwi.nii.gz")
    pattern = "{site}/{subject}/{session}/{modality}.nii.gz"
    output = tmp_path / "prepared"
    answer = prepare(cli, tmp_path / "study", "--pattern", pattern, output=output)
    assert answer.code == 0, answer.err
    assert "'dwi' is no modality: 8 files passed over" in answer.err
    rows = rows_of(output)
    assert sorted(rows) == sorted(f"p{k // 2}_visit{k % 2}" for k in range(8))
    assert rows["p0_visit1"]["site"] == "oslo"
    parts = {}
    for name, row in rows.items():
        parts.setdefault(name.split("_")[0], set()).add(row["part"])
    assert all(len(found) == 1 for found in parts.values())
    assert set(sidecars(output)["p0_visit0"]["files"]) == {"flair", "t1ce", "mask"}
    other = tmp_path / "other"
    named = prepare(
        cli, tmp_path / "study", "--pattern", pattern, "--modality", "t2=dwi", output=other
    )
    assert named.code == 0
    assert "t2" in sidecars(other)["p0_visit0"]["files"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--pattern", "{subject}.nii.gz"), "{modality} wanted"),
        (("--pattern", "{subject}/{modality"), "wanted, such as"),
        (("--pattern", "{subject}_{modality}.nii.gz"), "no file fits it"),
        (
            ("--pattern", "{subject}/x_{modality}.nii.gz", "--modality", "t9=a"),
            "unknown kind of file",
        ),
        (("--csv", "no.csv"), "no.csv"),
        (("--template", "x.nii"), "goes with --register"),
        (("--files", "move"), "unknown value of --files 'move'"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(cli, tmp_path, loose, arguments, word):
    answer = prepare(cli, loose, *arguments, output=tmp_path / "prepared")
    assert answer.code == 2
    (line,) = [line for line in answer.err.splitlines() if line.startswith("andi-bench:")]
    assert word in line
    assert "Traceback" not in answer.err


def test_bids_is_read_by_its_names_with_sessions_masks_and_participants(cli, tmp_path):
    root = tmp_path / "study"
    for k, stem in enumerate(("sub-01_ses-a", "sub-01_ses-b", "sub-02", "sub-03", "sub-04")):
        made = write_subject(tmp_path / "made", f"X{k}", k)
        below = Path(*stem.split("_")) / "anat"
        (root / below).mkdir(parents=True)
        for kind, name in (
            ("flair", "FLAIR"),
            ("t1", "T1w"),
            ("t1ce", "ce-gadolinium_T1w"),
            ("t2", "T2w"),
        ):
            shutil.move(made / f"X{k}_{kind}.nii.gz", root / below / f"{stem}_{name}.nii.gz")
        derived = root / "derivatives" / "manual" / below
        derived.mkdir(parents=True)
        mask = made / f"X{k}_seg.nii.gz"
        shutil.copy(mask, derived / f"{stem}_space-MNI152_label-lesion_mask.nii.gz")
        shutil.move(mask, derived / f"{stem}_label-lesion_mask.nii.gz")
        save(
            derived / f"{stem}_T1w.nii.gz", np.ones(SHAPE, np.int16)
        )  # derived scans are not raw ones
    (root / "participants.tsv").write_text(
        "participant_id\tage\tsex\nsub-01\t33\tF\nsub-02\tn/a\tM\n"
    )
    (root / "dataset_description.json").write_text("{}")
    output = tmp_path / "prepared"
    answer = prepare(cli, root, output=output)
    assert answer.code == 0, answer.err
    found = sidecars(output)
    assert sorted(found) == ["sub-01_ses-a", "sub-01_ses-b", "sub-02", "sub-03", "sub-04"]
    assert set(found["sub-02"]["files"]) == {"flair", "t1", "t1ce", "t2", "mask"}
    link = output / "sub-02" / "sub-02_t1ce.nii.gz"
    assert link.resolve().name == "sub-02_ce-gadolinium_T1w.nii.gz"
    rows = rows_of(output)
    assert (rows["sub-01_ses-b"]["age"], rows["sub-01_ses-b"]["session"]) == ("33", "b")
    assert (rows["sub-02"]["age"], rows["sub-02"]["sex"]) == ("", "M")
    assert rows["sub-01_ses-a"]["part"] == rows["sub-01_ses-b"]["part"]


def test_two_files_of_one_modality_are_named_and_not_chosen_from(cli, tmp_path):
    for name in ("sub-01", "sub-02"):
        made = write_subject(tmp_path / "made", name, len(name))
        anat = tmp_path / "study" / name / "anat"
        anat.mkdir(parents=True)
        shutil.move(made / f"{name}_flair.nii.gz", anat / f"{name}_FLAIR.nii.gz")
        for run in (1, 2) if name == "sub-02" else (1,):
            shutil.copy(made / f"{name}_t1.nii.gz", anat / f"{name}_run-{run}_T1w.nii.gz")
    answer = prepare(cli, tmp_path / "study", output=tmp_path / "prepared")
    assert answer.code == 1
    assert "sub-02: 2 files are its t1" in answer.err
    assert "--csv says which" in answer.err
    assert list(sidecars(tmp_path / "prepared")) == ["sub-01"]


@pytest.fixture(scope="module")
def phantom():
    """A phantom subject: images by modality, brain, affine."""
    config = PHANTOM.model_copy(update={"spacing": SPACING})
    subject = subjects_of(config)[0]
    scans, mask, grid = make_subject(subject, load_template().smoothed(SPACING))
    return scans, mask, scans["t1"] > 0, grid.affine


def in_a_head(image, brain, rng):
    """Put a brain into a head: cerebrospinal fluid and bone around it, scalp around these, noise in the air."""
    apart = ndimage.distance_transform_edt(~brain, sampling=[SPACING] * 3)
    top = float(np.quantile(image[brain], 0.9))
    head = np.where(brain, image, 0).astype(np.float32)
    head[(apart > 0) & (apart <= 7)] = 0.08 * top
    head[(apart > 7) & (apart <= 15)] = 1.1 * top
    return np.abs(head + rng.normal(0, 0.01 * top, head.shape)).astype(np.float32)


def write_phantom(folder, name, scans, affine, mask=None):
    for kind, image in scans.items():
        path = folder / name / f"{name}_{kind}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, image, affine)
    if mask is not None:
        save(folder / name / f"{name}_seg.nii.gz", mask, affine)


def checked(folder, name, kinds=("flair", "t1", "t1ce", "t2")):
    files = {k: folder / name / f"{name}_{k}.nii.gz" for k in kinds}
    found, problems = check_subject(name, files, None, LesionRule())
    assert not problems
    return found


def test_a_head_is_told_from_a_brain_and_the_brain_is_found_in_it(cli, tmp_path, phantom):
    scans, mask, brain, affine = phantom
    around = [(6, 6)] * 3
    moved = affine.copy()
    moved[:3, 3] -= affine[:3, :3] @ [6, 6, 6]
    rng = np.random.default_rng(0)
    brain = np.pad(brain, around)
    plain = {k: np.pad(image, around) for k, image in scans.items()}
    heads = {k: in_a_head(image, brain, rng) for k, image in plain.items()}
    root = tmp_path / "scans"
    write_phantom(root, "brain", plain, moved, np.pad(mask, around))
    write_phantom(root, "head", heads, moved, np.pad(mask, around))
    assert is_stripped(checked(root, "brain"))
    assert not is_stripped(checked(root, "head"))
    for kind in ("flair", "t1"):  # also by one modality alone
        assert is_stripped(checked(root, "brain", (kind,)))
        assert not is_stripped(checked(root, "head", (kind,)))
    derived = derive_brain(checked(root, "head"))
    dice = 2 * (derived & brain).sum() / (derived.sum() + brain.sum())
    assert dice > 0.93, dice
    output = tmp_path / "prepared"
    answer = prepare(cli, root, output=output)
    assert answer.code == 0, answer.err
    (line,) = [line for line in answer.err.splitlines() if line.startswith("look at")]
    assert "head: not skull-stripped" in line
    assert (output / "brain" / "brain_t1.nii.gz").is_symlink()
    image = nib.load(output / "head" / "head_t1.nii.gz").get_fdata()
    assert (image[~derived] == 0).all()
    np.testing.assert_allclose(image[derived], heads["t1"][derived], rtol=1e-6)


def test_a_brain_mask_that_is_given_is_applied_and_one_on_another_grid_refused(
    cli, tmp_path, phantom
):
    scans, mask, brain, affine = phantom
    rng = np.random.default_rng(0)
    heads = {k: in_a_head(scans[k], brain, rng) for k in ("flair", "t1")}
    for name in ("A", "B"):
        write_phantom(tmp_path / "scans", name, heads, affine, mask)
        given = brain if name == "A" else brain[:-1]
        save(tmp_path / "scans" / f"{name}_brain.nii.gz", given.astype(np.uint8), affine)
        rng.shuffle(heads["t1"])  # so that B is another scan than A
        rng.shuffle(heads["flair"])
    table = write_table(
        tmp_path / "scans" / "all.csv",
        ["subject,flair,t1,mask,brain_mask"]
        + [
            f"{n},{n}/{n}_flair.nii.gz,{n}/{n}_t1.nii.gz,{n}/{n}_seg.nii.gz,{n}_brain.nii.gz"
            for n in "AB"
        ],
    )
    answer = prepare(cli, "--csv", table, output=tmp_path / "prepared")
    assert answer.code == 1
    (line,) = [line for line in answer.err.splitlines() if line.startswith("not prepared")]
    assert "B_brain.nii.gz has shape" in line
    image = nib.load(tmp_path / "prepared" / "A" / "A_flair.nii.gz").get_fdata()
    assert ((image != 0) == brain).mean() > 0.9999
    assert (
        sidecars(tmp_path / "prepared")["A"]["files"]["flair"]["how"]
        == "written: brain mask applied"
    )


def test_real_skull_stripped_patients_pass_for_what_they_are(patients):
    for number in (7, 19):
        folder = patients / "ljubljana" / "dev_in"
        files = {k: folder / k / f"{number}_{k.upper()}_isovox.nii.gz" for k in ("flair", "t1")}
        found, problems = check_subject(str(number), files, None, LesionRule())
        assert not problems
        assert is_stripped(found)
