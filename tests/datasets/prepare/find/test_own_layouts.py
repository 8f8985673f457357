"""Anyone's own layouts: masks wherever they lie are used or named, two people are never one subject."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.downloads import without_figures
from support.small_scans import AFFINE, SHAPE, save, write_splits, write_subject


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    without_figures(monkeypatch)


@pytest.fixture
def prepare(cli, tmp_path):
    def run(*arguments: object):
        return cli("prepare", "folder", *arguments, "--output", tmp_path / "out", "--workers", 1)

    return run


def scan(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij"))
    image = ((grid**2).sum(0) < 0.8) * (
        500 + 60 * np.sin(6 * grid[0] + seed) + 25 * rng.normal(size=SHAPE)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, image.astype(np.int16))
    return path


def mask(path: Path) -> Path:
    lesion = np.zeros(SHAPE, np.uint8)
    lesion[18:22, 16:20, 6:8] = 1
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, lesion, AFFINE)
    return path


def sidecars(root: Path) -> dict[str, dict]:
    return {p.parent.name: json.loads(p.read_text()) for p in root.glob("*/preparation.json")}


@pytest.mark.parametrize(
    "where",
    [
        "{s}/anat/{s}_label-L_desc-T1lesion_mask.nii.gz",
        "derivatives/manual/{s}/anat/{s}_label-WMH_mask.nii.gz",
        "derivatives/{s}/{s}_msk.nii.gz",
        "derivatives/x/{s}/anat/{s}_desc-lesion_dseg.nii.gz",
        "{s}/anat/{s}_label-tumor_roi.nii.gz",
    ],
)
@pytest.mark.parametrize("above", ["", "Training/R001/"])
def test_a_mask_of_bids_is_taken_wherever_it_lies(prepare, tmp_path, where, above):
    for k, s in enumerate(("sub-01", "sub-02")):
        scan(tmp_path / "bids" / above / s / "anat" / f"{s}_FLAIR.nii.gz", k)
        mask(tmp_path / "bids" / above / where.format(s=s))
    answer = prepare(tmp_path / "bids")
    assert answer.code == 0, answer.err
    assert {tuple(s["files"]) for s in sidecars(tmp_path / "out").values()} == {("flair", "mask")}


def test_a_mask_that_is_not_understood_is_named_and_can_be_said(prepare, tmp_path):
    bids = tmp_path / "bids"
    scan(bids / "sub-01/anat/sub-01_FLAIR.nii.gz", 0)
    mask(bids / "sub-01/anat/sub-01_label-X_mask.nii.gz")
    (bids / "participants.tsv").write_text("participant_id\tage\nsub-01\t61\nsub-09\t70\n")
    answer = prepare(bids)
    assert "sub-01_label-X_mask.nii.gz: looks like a lesion mask and is not used" in answer.err
    assert "--modality KIND=NAME" in answer.err
    assert "1 row fits no subject that is prepared: sub-09" in answer.err
    assert prepare(bids, "--modality", "mask=label-X_mask").code == 0
    (found,) = sidecars(tmp_path / "out").values()
    assert "mask" in found["files"]


def test_two_sites_with_one_id_are_refused(prepare, tmp_path):
    root = tmp_path / "sites"
    scan(root / "Oslo/P00/FLAIR.nii.gz", 0)
    scan(root / "Graz/P00/T1.nii.gz", 1)
    answer = prepare(root, "--pattern", "{site}/{subject}/{modality}.nii.gz")
    assert answer.code == 1
    assert "P00: its files say site Graz" in answer.err
    assert "site Oslo" in answer.err
    scan(tmp_path / "brats/Oslo/P00/P00_flair.nii.gz", 0)
    scan(tmp_path / "brats/Graz/P00/P00_t1.nii.gz", 1)
    answer = prepare(tmp_path / "brats")
    assert answer.code == 1
    assert "lie in two folders of that name" in answer.err
    for site, suffix in (("Oslo", "FLAIR"), ("Graz", "T1w")):
        scan(tmp_path / f"bids/{site}/sub-01/anat/sub-01_{suffix}.nii.gz", 2)
    answer = prepare(tmp_path / "bids")
    assert answer.code == 1
    assert "so they are of two subjects" in answer.err


def test_the_users_lists_keep_the_sessions_of_a_person_together(prepare, tmp_path):
    for k, s in enumerate(("sub-01", "sub-02")):
        for session in ("ses-1", "ses-2"):
            scan(
                tmp_path / f"bids/{s}/{session}/anat/{s}_{session}_FLAIR.nii.gz",
                2 * k + int(session[-1]),
            )
    lists = {"train": ["sub-01_ses-1"], "val": ["sub-02_ses-1"], "test": ["sub-01_ses-2"]}
    write_splits(tmp_path / "lists", lists)
    answer = prepare(tmp_path / "bids", "--splits", tmp_path / "lists")
    assert answer.code == 2
    assert "sub-01_ses-1 (train) and sub-01_ses-2 (test) are scans of one person" in answer.err
    assert "preparing subjects" not in answer.err


def test_patterns_tell_persons_healthy_cohorts_and_several_places(prepare, tmp_path):
    root = tmp_path / "ucsf"
    for k, name in enumerate(("0004", "0391", "0391_FU016d")):
        scan(root / f"UCSF-PDGM-{name}_nifti/UCSF-PDGM-{name}_FLAIR.nii.gz", k)
    scan(root / "more/Q7-p1.nii.gz", 9)
    answer = prepare(
        root,
        *("--pattern", "UCSF-PDGM-{subject}_nifti/UCSF-PDGM-{subject}_{modality}.nii.gz"),
        *("--pattern", "more/{modality}-{person}-{subject}.nii.gz"),
        "--healthy",
    )
    assert "more/Q7-p1.nii.gz: not used: it fits no --pattern" in answer.err
    found = sidecars(tmp_path / "out")
    assert found["0391"]["person"] == found["0391_FU016d"]["person"] == "0391"
    assert all(s["facts"]["lesion_ml"] == 0 for s in found.values())
    other = tmp_path / "x"
    scan(other / "a-p1-t1.nii.gz", 20)
    scan(other / "b-p1-t1.nii.gz", 21)
    assert prepare(other, "--pattern", "{subject}-{person}-{modality}.nii.gz").code == 0
    assert {s["person"] for k, s in sidecars(tmp_path / "out").items() if k in "ab"} == {"p1"}


def test_nnunets_raw_layout_is_read(prepare, tmp_path):
    root = tmp_path / "Dataset001"
    for k, name in enumerate(("case_a", "case_b")):
        scan(root / f"imagesTr/{name}_0000.nii.gz", k)
        scan(root / f"imagesTr/{name}_0001.nii.gz", k + 5)
        mask(root / f"labelsTr/{name}.nii.gz")
    scan(root / "imagesTs/case_c_0000.nii.gz", 9)
    description = {"channel_names": {"0": "FLAIR", "1": "T1w"}, "labels": {"background": 0, "l": 1}}
    (root / "dataset.json").write_text(json.dumps(description))
    assert prepare(root).code == 0
    found = sidecars(tmp_path / "out")
    assert list(found["case_a"]["files"]) == ["flair", "t1", "mask"]
    assert list(found["case_c"]["files"]) == ["flair"]
    (root / "dataset.json").unlink()
    answer = prepare(root)
    assert answer.code == 2
    assert "--modality flair=0000" in answer.err


@pytest.fixture
def three(tmp_path) -> Path:
    root = tmp_path / "scans"
    for k in range(3):
        write_subject(root, f"S{k}", k)
    return root


def test_a_table_as_excel_writes_it_is_read(prepare, three, tmp_path):
    lines = ["sep=;", "subject;flair;mask;healthy;Alter;person"]
    lines += [f"S{k};S{k}\\S{k}_flair.nii.gz;;yes;61,5;Müller" for k in range(3)]
    (three / "scans.csv").write_bytes("\r\n".join(lines).encode("cp1252"))
    assert prepare("--csv", three / "scans.csv").code == 0
    found = sidecars(tmp_path / "out")
    assert {s["person"] for s in found.values()} == {"Müller"}
    assert {s["facts"]["lesion_ml"] for s in found.values()} == {0.0}


@pytest.mark.parametrize(
    ("header", "row", "code", "said"),
    [
        ("subject,flair,persn", "S0,S0/S0_flair.nii.gz,p", 2, "column 'persn': 'person' meant?"),
        ("subject,flair,maske", "S0,S0/S0_flair.nii.gz,", 2, "column 'maske': 'mask' meant?"),
        ("subject,flair,gold", "S0,S0/S0_flair.nii.gz,S0/S0_seg.nii.gz", 0, "--modality KIND=gold"),
        ("subject,flair,mask", "S0,S0/S0_flair.nii.gz,S0/gone.nii.gz", 1, "gone.nii.gz: cannot be"),
        ("subject,flair,healthy", "S0,S0/S0_flair.nii.gz,perhaps", 1, "yes, no or nothing wanted"),
    ],
)
def test_a_table_that_is_not_understood_is_answered(prepare, three, header, row, code, said):
    (three / "scans.csv").write_text(f"{header}\n{row}\n")
    answer = prepare("--csv", three / "scans.csv")
    assert (answer.code, said in answer.err) == (code, True), answer.err


def test_lists_in_the_folder_of_the_scans_are_used(prepare, three, tmp_path):
    write_splits(three / "splits", {"train": ["S1"], "val": ["S2"], "test": ["S0"]})
    assert "train 1, val 1, test 1" in prepare(three).out
    assert "S0" in (tmp_path / "out/splits/scans_test.csv").read_text()


def test_hidden_files_and_empty_folders_are_no_scans(prepare, tmp_path):
    (tmp_path / "none").mkdir()
    answer = prepare(tmp_path / "none")
    assert answer.code == 2
    assert "it holds no *.nii" in answer.err
    (tmp_path / "none/._P1_flair.nii.gz").write_bytes(b"\0\5\x16\7")
    assert prepare(tmp_path / "none").code == 2
