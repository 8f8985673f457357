"""Which file is whose: by the names of BraTS or BIDS, by a pattern, by a table. No file is opened for that."""

import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.downloads import member

from andi_bench.errors import UserError
from datasets.names import BRATS
from datasets.prepare.find.archive_members import is_hidden, name_refusal, shown
from datasets.prepare.find.bids import from_bids, is_bids
from datasets.prepare.find.brats_downloads import gather
from datasets.prepare.find.grouping import parse_names
from datasets.prepare.find.nnunet import from_nnunet, is_nnunet
from datasets.prepare.find.path_patterns import from_patterns
from datasets.prepare.find.scan_table import from_csv
from datasets.prepare.find.sources import find_files
from datasets.prepare.find.unpacking import unpack


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes files of those names, their content being the name."""

    def written(*names, under="data"):
        for name in names:
            path = tmp_path / under / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        return tmp_path / under

    return written


def files_of(gathered):
    return {s.id: {k: f.path.name for k, f in s.files.items()} for s in gathered.subjects}


def brats(source, tmp_path):
    return gather([source], tmp_path / "unpacked", tmp_path / "out")


@pytest.mark.parametrize("word", sorted(BRATS))
@pytest.mark.parametrize("sign", "-_")
def test_brats_of_any_year_is_told_by_the_last_word_of_a_name(folder, tmp_path, word, sign):
    source = folder(f"deep/down/BraTS-GLI-00001-000{sign}{word.upper()}.nii.gz")
    (subject,) = brats(source, tmp_path).subjects
    assert (subject.id, list(subject.files)) == ("BraTS-GLI-00001-000", [BRATS[word]])
    assert subject.person == "BraTS-GLI-00001"


def test_a_file_that_is_there_twice_is_one_and_two_that_differ_are_refused(folder, tmp_path):
    source = folder("a/X_t1.nii.gz", "b/X_t2.nii.gz", "a/Y_t1.nii.gz")
    (source / "b" / "X_t1.nii.gz").write_text("a/X_t1.nii.gz")
    found = brats(source, tmp_path)
    assert set(files_of(found)) == {"X", "Y"}
    assert len(found.notes) == 1
    (source / "b" / "X_t1.nii.gz").write_text("another")
    found = brats(source, tmp_path)
    assert set(files_of(found)) == {"Y"}
    assert found.problems[0].startswith("X: ")
    assert "are both its t1, and differ" in found.problems[0]


def test_a_mask_under_another_name_is_found_by_its_folder_and_said(folder, tmp_path):
    source = folder("X/X_t1.nii", "X/W39_Segm.nii", "X/notes.nii")
    found = brats(source, tmp_path)
    assert files_of(found) == {"X": {"t1": "X_t1.nii", "mask": "W39_Segm.nii"}}
    assert "is named otherwise" in found.subjects[0].warnings[0]
    assert any("notes.nii: not used" in note for note in found.notes)


def test_a_modality_in_another_format_is_pointed_out(folder, tmp_path):
    (subject,) = brats(folder("X/X_t1.nii", "X/X_t2.mha"), tmp_path).subjects
    assert "X_t2.mha: not named .nii or .nii.gz, so it is not taken for t2" in subject.warnings[0]


def bids(source, tmp_path):
    return from_bids(find_files([source], tmp_path / "unpacked"), source)


def test_sessions_of_one_person_are_subjects_with_masks_of_their_own_space(folder, tmp_path):
    source = folder(
        "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz",
        "sub-01/ses-a/anat/sub-01_ses-a_ce-gd_T1w.nii.gz",
        "sub-01/ses-b/anat/sub-01_ses-b_FLAIR.nii.gz",
        "derivatives/x/sub-01/ses-b/anat/sub-01_ses-b_label-lesion_mask.nii.gz",
        "derivatives/x/sub-01/ses-b/anat/sub-01_ses-b_desc-brain_mask.nii.gz",
        "derivatives/x/sub-01/ses-a/anat/sub-01_ses-a_space-MNI_label-lesion_mask.nii.gz",
    )
    (source / "participants.tsv").write_text("participant_id\tage\nsub-01\t44\nsub-02\tn/a\n")
    assert is_bids(find_files([source], tmp_path / "unpacked"))
    found = bids(source, tmp_path)
    kinds = {name: sorted(files) for name, files in files_of(found).items()}
    assert kinds == {"sub-01_ses-a": ["t1", "t1ce"], "sub-01_ses-b": ["brain", "flair", "mask"]}
    assert {s.person for s in found.subjects} == {"sub-01"}
    assert found.subjects[0].attributes == {"age": "44", "session": "a"}


def test_two_images_of_a_kind_are_a_problem_of_their_subject_alone(folder, tmp_path):
    source = folder(
        "sub-01/anat/sub-01_run-1_T1w.nii",
        "sub-01/anat/sub-01_run-2_T1w.nii",
        "sub-02/anat/sub-02_T2w.nii",
    )
    found = bids(source, tmp_path)
    assert list(files_of(found)) == ["sub-02"]
    assert "sub-01: 2 files are its t1" in found.problems[0]


def test_bids_without_anatomy_is_refused(folder, tmp_path):
    source = folder("sub-01/anat/sub-01_PDw.nii")
    with pytest.raises(UserError, match="BIDS without a FLAIR, T1w or T2w"):
        bids(source, tmp_path)
    (folder("sub-01/anat/sub-01_T1w.nii") / "participants.tsv").write_text("name\tage\nx\t1\n")
    with pytest.raises(UserError, match="no column participant_id"):
        bids(source, tmp_path)


def by_pattern(source, tmp_path, pattern, names=()):
    found = find_files([source], tmp_path / "unpacked")
    return from_patterns(found, [pattern], parse_names(names))


def test_a_pattern_says_subject_modality_session_and_columns(folder, tmp_path):
    source = folder(
        "north/P1/v1/flair.nii",
        "north/P1/v1/post.nii",
        "south/P2/v1/T1.nii",
        "south/P2/v1/junk.nii",
    )
    pattern = "{site}/{subject}/{session}/{modality}.nii"
    found = by_pattern(source, tmp_path, pattern, ["t1ce=post"])
    assert files_of(found) == {
        "P1_v1": {"flair": "flair.nii", "t1ce": "post.nii"},
        "P2_v1": {"t1": "T1.nii"},
    }
    assert [s.person for s in found.subjects] == ["P1", "P2"]
    assert [s.attributes["site"] for s in found.subjects] == ["north", "south"]
    assert found.notes == [
        "'junk' is no modality: 1 file passed over (--modality KIND=junk names it)"
    ]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{subject}.nii", "{subject} and {modality} wanted"),
        ("{subject/{modality}.nii", "{subject} and {modality} wanted"),
        ("{subject}-{modality}.nii", "no file fits it .'P1_t1.nii' for one."),
        ("{modality}_{subject}.nii", "names that are no modality: P1"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(folder, tmp_path, pattern, message):
    with pytest.raises(UserError, match=message):
        by_pattern(folder("P1_t1.nii"), tmp_path, pattern)


@pytest.mark.parametrize(
    ("text", "message"),
    [("t1", "KIND=NAME wanted"), ("t1=", "KIND=NAME"), ("t9=x", "kind of file")],
)
def test_a_name_for_a_modality_must_be_one(text, message):
    with pytest.raises(UserError, match=message):
        parse_names([text])


def table(folder, text):
    path = folder("x.nii", "y.nii", "z.nii", "m.nii") / "table.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_says_everything(folder, separator):
    text = "id,FLAIR,lesion,person,split,age\nA,x.nii,healthy,P,train,30\nB,y.nii,m.nii,P,,\nC,z.nii,,,,\n"
    found = from_csv(table(folder, text.replace(",", separator)), None)
    assert files_of(found) == {
        "A": {"flair": "x.nii"},
        "B": {"flair": "y.nii", "mask": "m.nii"},
        "C": {"flair": "z.nii"},
    }
    assert [(s.healthy, s.person, s.part) for s in found.subjects] == [
        (True, "P", "train"),
        (False, "P", ""),
        (False, "C", ""),
    ]
    assert found.subjects[0].attributes == {"age": "30"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("subject,t1\nA,x.nii\nA,x.nii\n", "line 3: subject A stands there twice"),
        ("subject,t1\nA,absent.nii\n", "line 2: A, t1: .*absent.nii: cannot be read"),
        ("subject,t1,mask\nA,,m.nii\n", "subject A: no scan"),
        ("subject,t1\n../A,x.nii\n", "letters, digits"),
        ("subject,t1,split\nA,x.nii,dev\n", "split 'dev': train, val, test or nothing wanted"),
    ],
)
def test_a_row_at_fault_is_a_problem_of_its_own(folder, text, problem):
    import re

    found = from_csv(
        table(folder, text + "Z" + ",x.nii" * text.split("\n")[0].count("t1") + "\n"), None
    )
    assert re.search(problem, "\n".join(found.problems))
    assert found.subjects[-1].id == "Z"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a header and one row a subject wanted"),
        ("subject,age\nA,3\n", "'subject' and at least one of flair"),
        ("subject,t1,T1w\nA,x.nii,x.nii\n", "two columns for t1: one wanted"),
        ("subject,t1\nA,x.nii,more\n", "line 2: 3 columns, 2 wanted"),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused(folder, text, message):
    with pytest.raises(UserError, match=message):
        from_csv(table(folder, text), None)


def test_scans_that_a_table_does_not_mention_are_listed(folder):
    path = table(folder, "subject,t1,t2w_raw\nA,x.nii,m.nii\nB,./y.nii,\nC,absent.nii,\n")
    folder("deep/z.nii", "deep/.hidden.nii", "deep/notes.txt", "out/ours.nii")
    data = path.parent
    (data / "link.nii").symlink_to(data / "y.nii")  # the same scan: it is mentioned
    beside = from_csv(path, None)
    assert [n for n in beside.notes if "not used" in n] == [
        f"{path}: column 't2w_raw' names scans and is none of flair, t1, t1ce, t2, mask, brain: not used "
        "(--modality KIND=t2w_raw says what it is)",
        f"{data / 'z.nii'}: not mentioned in table.csv, and not used",
    ]
    whole = from_csv(path, data, output=data / "out")
    assert [n.split(":")[0] for n in whole.notes if "not mentioned" in n] == [
        str(data / "z.nii"),
        str(data / "deep" / "z.nii"),
    ]
    assert sum("absent.nii" in line for line in whole.problems) == 1


def test_of_many_scans_that_a_table_does_not_mention_some_are_named(folder):
    path = table(folder, "subject,t1\nA,x.nii\n")
    folder(*(f"more/{k:03d}.nii" for k in range(50)))
    found = from_csv(path, path.parent).notes
    assert len(found) == 13
    assert found[-1] == "41 more scans are not mentioned in table.csv"


def test_paths_in_a_table_that_cannot_be_are_problems_of_their_rows(folder):
    path = table(
        folder,
        f"subject,t1\nA,~nobody-here/x.nii\nB,{'n' * 300}.nii\nC,a\\{'n' * 300}.nii\nD,x.nii\n",
    )
    found = from_csv(path, None)
    assert [s.id for s in found.subjects] == ["D"]
    assert len(found.problems) == 3


def test_a_source_must_exist_and_be_able_to_hold_scans(folder, tmp_path):
    for path, message in [
        (tmp_path / "nowhere", "no such file or folder"),
        (folder("notes.txt") / "notes.txt", "a folder, .tar, .tar.gz, .zip or .nii.gz file wanted"),
    ]:
        with pytest.raises(UserError, match=message):
            find_files([path], tmp_path / "unpacked")


def test_the_output_hidden_files_and_ways_that_lead_back_are_not_looked_into(folder, tmp_path):
    source = folder("a/X_t1.nii", "out/X_t2.nii", ".b/X_t1.nii", "a/._X_t1.nii")
    (source / "a" / "back").symlink_to(source)
    found = find_files([source], tmp_path / "unpacked", skip=source / "out")
    assert [file.name for file in found.files] == ["a/X_t1.nii"]


NAMES = st.lists(st.sampled_from(["a", "..", ".", "b c", "", "C:", ".d"]), min_size=1, max_size=4)


@given(parts=NAMES)
def test_no_name_that_is_taken_leaves_the_folder(tmp_path_factory, parts):
    name = "/".join(parts)
    if name_refusal(name) is None:
        base = tmp_path_factory.getbasetemp() / "base"
        assert (base / name).resolve().is_relative_to(base.resolve())


@pytest.mark.parametrize(
    "name", ["/etc/x.nii", "..\\x.nii", "C:\\x.nii", "a\nb.nii", "a/../../b.nii"]
)
def test_names_that_lead_elsewhere_are_refused_and_shown_on_one_line(name):
    assert name_refusal(name)
    assert shown(name).isprintable()
    assert is_hidden("a/.b/c")
    assert not is_hidden("./a/b")


def test_an_archive_is_unpacked_once_and_what_it_refuses_is_said(tmp_path):
    path = tmp_path / "all.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member(archive, "X/X_t1.nii", b"image")
        member(archive, "X/link.nii", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        member(archive, "X/readme.txt", b"text")
        member(archive, "X/.hidden.nii", b"image")
    found = unpack(path, None, tmp_path / "unpacked")
    ((name, file, size, _),) = found.files
    assert (name, file.read_bytes(), size) == ("X/X_t1.nii", b"image", 5)
    assert found.others == ["X/readme.txt"]
    assert "is a link (to '/etc/passwd'): not unpacked" in found.problems[0]
    file.write_bytes(b"mine!")
    again = unpack(path, None, tmp_path / "unpacked")
    assert again == found
    assert file.read_bytes() == b"mine!"


def test_a_zip_within_an_archive_is_left_to_the_user(tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inner.zip", b"PK")
    found = unpack(path, "inner.zip", tmp_path / "unpacked")
    assert "is a zip within an archive" in found.problems[0]


def test_a_damaged_listing_is_named(tmp_path):
    path = tmp_path / "all.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member(archive, "X_t1.nii", b"image")
    unpack(path, None, tmp_path / "unpacked")
    (listing,) = (tmp_path / "unpacked").rglob("listing.json")
    listing.write_text("{")
    with pytest.raises(UserError, match=r"listing.json: damaged; delete .* to unpack it again"):
        unpack(path, None, tmp_path / "unpacked")


def test_the_channels_of_nnunet_are_named_by_its_dataset_json(folder, tmp_path):
    source = folder("imagesTr/A_0000.nii.gz", "imagesTr/A_0001.nii.gz", "labelsTr/A.nii.gz")
    (source / "dataset.json").write_text('{"channel_names": {"0": "FLAIR", "1": "noise"}}')
    found = find_files([source], tmp_path / "unpacked")
    assert is_nnunet(found)
    gathered = from_nnunet(found, source, {})
    assert files_of(gathered) == {"A": {"flair": "A_0000.nii.gz", "mask": "A.nii.gz"}}
    assert any("A_0001.nii.gz: not used" in note for note in gathered.notes)
