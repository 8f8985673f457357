"""What ``prepare brats21``, ``folder`` and ``phantom`` do, called as the command line calls them."""

import pytest
from support.downloads import brats, without_figures
from support.small_runs import QUIET

from andi_bench.errors import UserError
from andi_bench.workspace import Workspace
from datasets.adapters.catalogue import open_dataset
from datasets.prepare.commands.phantom_data import Changed, write_phantom
from datasets.prepare.commands.scans_steps import SHOWN, OwnScans, prepare_brats21, prepare_folder
from datasets.prepare.place.subject_folder import Recipe


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    without_figures(monkeypatch)


def test_what_is_said_is_the_result_and_the_next_command(tmp_path):
    source = brats(tmp_path / "download", 3)
    done = prepare_brats21([source], tmp_path / "out", workers=1, console=QUIET)
    assert done.sound
    assert done.lines[0].startswith(f"3 subjects in {tmp_path / 'out'} (0 of them before)")
    assert done.lines[-1].endswith(f"run --dataset brats21 --data-root {tmp_path / 'out'}")
    adapter = open_dataset("brats21", tmp_path / "out", tmp_path / "workspace")
    assert len(adapter.subjects()) == 3
    again = prepare_brats21([source], tmp_path / "out", workers=1, console=QUIET)
    assert "(3 of them before)" in again.lines[0]


def test_many_notes_are_left_to_the_report(tmp_path):
    source = brats(tmp_path / "download", 1)
    for k in range(SHOWN + 5):
        (source / f"odd-{chr(97 + k)}.nii").touch()
    done = prepare_brats21([source], tmp_path / "out", workers=1, console=QUIET)
    # one more says that the published lists do not fit
    assert "note: 6 more, in the report" in done.notes


def test_sources_may_not_lie_in_the_output(tmp_path):
    source = brats(tmp_path / "out", 1)
    with pytest.raises(UserError, match="lies in it: a folder of its own wanted"):
        prepare_brats21([source], tmp_path / "out", console=QUIET)


def test_subjects_without_some_modality_come_with_the_option_that_runs_them(tmp_path):
    source = brats(tmp_path / "download", 2)
    for path in source.rglob("*_t1ce.nii.gz"):
        path.unlink()
    done = prepare_folder(OwnScans(source), tmp_path / "out", Recipe(), workers=1, console=QUIET)
    assert done.lines[-1].endswith("--set preprocessing.modalities=[flair,t1,t2]")


@pytest.mark.parametrize(
    ("scans", "message"),
    [
        (OwnScans(None), "a folder of scans, or --csv, wanted"),
        (OwnScans("here", "table", ("pattern",)), "--csv or --pattern, one of them wanted"),
        (OwnScans("nowhere"), "nowhere: no such folder"),
        (OwnScans("here"), "neither BIDS, nor nnU-Net, nor"),
        (OwnScans("here", patterns=("{subject}",)), "{subject} and {modality} wanted"),
    ],
)
def test_scans_that_nothing_is_said_of_are_refused(tmp_path, scans, message):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "scan.nii").touch()
    asked = OwnScans(
        tmp_path / scans.source if scans.source else None, scans.csv, scans.patterns, scans.names
    )
    with pytest.raises(UserError, match=message):
        prepare_folder(asked, tmp_path / "out", Recipe(), console=QUIET)


def test_a_template_goes_with_registration(tmp_path):
    recipe = Recipe(template=tmp_path / "t1.nii")
    with pytest.raises(UserError, match="--template: goes with --register"):
        prepare_folder(OwnScans(tmp_path), tmp_path / "out", recipe, console=QUIET)


@pytest.mark.parametrize("name", ["brats21", "fantom"])
def test_only_a_phantom_can_be_written_ahead(tmp_path, name):
    with pytest.raises(UserError, match="phantom"):
        write_phantom(name, Workspace(tmp_path / "workspace"), Changed(tmp_path, 4.0), 1)


def test_a_phantom_of_other_voxels_or_test_subjects_has_a_folder_of_its_own(tmp_path, monkeypatch):
    from datasets.phantom.adapter import PhantomAdapter

    written = []
    monkeypatch.setattr(
        PhantomAdapter, "prepare", lambda self, report, workers: written.append(self.config)
    )
    data, place = tmp_path / "data", Workspace(tmp_path)
    assert write_phantom("phantom-ms", place, Changed(), 1) == data / "phantom-ms"
    assert write_phantom("phantom", place, Changed(spacing=4.0), 1) == data / "phantom-4mm"
    assert write_phantom("phantom", place, Changed(tmp_path / "x", 4.0), 1) == tmp_path / "x"
    assert write_phantom("phantom", place, Changed(test_seed=5), 1) == data / "phantom-seed5"
    assert [config.spacing for config in written] == [2.5, 4.0, 4.0, 2.5]
    sealed, other = written[1].seeds, written[3].seeds
    assert (other.test, other.train, other.val) == (5, sealed.train, sealed.val)
