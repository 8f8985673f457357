"""The report of a preparation: what came in, what did not, in which part; drawn again only where something changed."""

import csv

import pytest
from support.downloads import without_figures
from support.small_scans import write_subject

from datasets.prepare.find.sources import file_at
from datasets.prepare.found import Gathered, Incoming
from datasets.prepare.place.data_folder import ScansRequest, prepare_subjects
from datasets.prepare.place.subject_folder import Recipe
from datasets.prepare.report import report_figures
from datasets.prepare.report.data_report import write_report

WORDS = {"flair": "flair", "t1": "t1", "mask": "seg"}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Three subjects: with a lesion, without one, without a mask; and one that fails."""
    root = tmp_path_factory.mktemp("report")
    subjects = []
    for seed, name in enumerate("ABCD"):
        folder = write_subject(root / "source", name, seed, lesion=name == "A")
        kinds = ("flair", "t1") if name == "C" else tuple(WORDS)
        paths = {kind: folder / f"{name}_{WORDS[kind]}.nii.gz" for kind in kinds}
        files = {kind: file_at(path, path.name) for kind, path in paths.items()}
        subjects.append(Incoming(name, files, attributes={"site": f"<{name}>"}))
    (root / "source" / "D" / "D_t1.nii.gz").write_bytes(b"x")
    gathered = Gathered(subjects, [], ["a <note>"])
    request = ScansRequest("folder", root / "out", Recipe(), lambda _: gathered, workers=1)
    return root / "out", prepare_subjects(request, lambda *step: None)


def test_the_page_says_who_is_in_and_who_is_not(done, monkeypatch):
    without_figures(monkeypatch)
    output, prepared = done
    page = write_report(output, "folder", prepared)
    text = page.read_text()
    assert page == output / "report" / "report.html"
    assert "D_t1.nii.gz" in text
    assert "a &lt;note&gt;" in text
    assert "<note>" not in text
    with (output / "report" / "subjects.csv").open() as file:
        rows = {row["subject"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"A", "B", "C"}
    assert float(rows["A"]["lesion_ml"]) > 0
    assert float(rows["B"]["lesion_ml"]) == 0
    assert rows["C"]["lesion_ml"] == ""


def test_a_page_is_drawn_again_only_where_something_has_changed(done, monkeypatch):
    without_figures(monkeypatch)
    output, prepared = done
    page = write_report(output, "folder", prepared)
    first = page.stat().st_mtime_ns
    write_report(output, "folder", prepared)
    assert page.stat().st_mtime_ns == first
    write_report(output, "another", prepared)
    assert page.stat().st_mtime_ns > first


def test_the_same_subjects_give_the_same_pictures(done):
    _, prepared = done
    parts = {"A": "train", "B": "val", "C": "test"}
    first = report_figures.lesions(prepared.prepared, parts)
    assert first.startswith(b"\x89PNG")
    assert report_figures.lesions(prepared.prepared, parts) == first
    healthy = [s for s in prepared.prepared if s.subject == "B"]
    assert report_figures.lesions(healthy, parts).startswith(b"\x89PNG")
    assert report_figures.intensities(prepared.prepared).startswith(b"\x89PNG")


def test_some_subjects_are_shown_as_they_are(done):
    output, prepared = done
    picture, names = report_figures.examples(prepared.prepared, output)
    assert picture.startswith(b"\x89PNG")
    assert set(names) <= {"A", "B", "C"}
    assert "A" in names
    assert report_figures.examples([], output) is None
