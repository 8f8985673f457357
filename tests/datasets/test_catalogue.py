from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.phantoms import PHANTOMS
from support.places import ROOT
from support.small_heads import write_subject

from andi_bench import registry
from andi_bench.config import dataset_entry, names_in
from andi_bench.errors import UserError
from andi_bench.registry import DATASETS, load_plugin
from datasets.adapters.catalogue import dataset_names, find_entry, open_dataset
from datasets.adapters.shifts import ShiftsAdapter
from datasets.phantom.adapter import PhantomAdapter

NAMES = sorted(["brats21", "folder", "shifts", *PHANTOMS])


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BRATS21", "SHIFTS", "FOLDER"):
        monkeypatch.delenv(f"ANDI_BENCH_{name}", raising=False)


def test_every_configured_data_set_opens(tmp_path: Path) -> None:
    assert sorted(names_in("datasets")) == NAMES
    (tmp_path / "data").mkdir()
    for name in NAMES:
        adapter = open_dataset(name, tmp_path / "data", tmp_path / "work")
        assert adapter.name == name


def test_what_is_trained_on_another_data_set_says_so() -> None:
    assert dataset_entry("phantom-ms").trained_on == "phantom"
    assert dataset_entry("shifts").trained_on == "brats21"
    assert dataset_entry("brats21").trained_on is None
    assert set(dataset_names()) >= set(NAMES)


def test_the_phantoms_configurations_are_the_phantoms_own(tmp_path: Path) -> None:
    for name, config in PHANTOMS.items():
        adapter = open_dataset(name, None, tmp_path)
        assert adapter.config == config  # type: ignore[attr-defined]
        assert adapter.root == tmp_path / "data" / name
    assert not tmp_path.joinpath("data").exists()  # opening builds nothing


def test_an_unset_folder_is_explained_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        open_dataset("brats21", None, tmp_path)
    message = str(caught.value)
    for part in ("brats21", "--data-root", "ANDI_BENCH_BRATS21", "BraTS2021_<n>_{flair"):
        assert part in message
    assert "\n" not in message


def test_an_absent_folder_names_the_way_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"--data-root /nowhere does not exist"):
        open_dataset("folder", Path("/nowhere"), tmp_path)
    monkeypatch.setenv("ANDI_BENCH_FOLDER", "/nowhere")
    with pytest.raises(UserError, match=r"ANDI_BENCH_FOLDER=/nowhere does not exist"):
        open_dataset("folder", None, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is not a folder"):
        open_dataset("folder", tmp_path / "file", tmp_path)
    with pytest.raises(UserError, match=r"--splits .*no such folder"):
        open_dataset("folder", tmp_path, tmp_path, tmp_path / "splits")


def test_the_variable_names_the_folder_and_the_option_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDI_BENCH_SHIFTS", str(tmp_path))
    write_subject(tmp_path / "patients", "best_dev_in_2")
    adapter = open_dataset("shifts", None, tmp_path / "work")
    assert isinstance(adapter, ShiftsAdapter)
    assert [s.id for s in adapter.subjects()] == ["best_dev_in_2"]
    assert adapter.split().train == ()  # nothing learns from these patients
    other = tmp_path / "other"
    other.mkdir()
    assert open_dataset("shifts", other, tmp_path / "work").root == other


def test_an_unknown_data_set_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'brats21'"):
        open_dataset("brats2021", None, tmp_path)


def test_a_data_set_of_a_plug_in_needs_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from datasets.adapters.base import register\n"
        "from datasets.adapters.folder import FolderAdapter\n"
        "@register('mine')\n"
        "class Mine(FolderAdapter):\n"
        "    layout = 'whatever'\n"
    )
    try:
        assert load_plugin(tmp_path / "mine.py")[DATASETS] == ["mine"]
        assert find_entry("mine").class_ == ""
        with pytest.raises(
            UserError, match="give --data-root DIR; the folder should hold whatever"
        ):
            open_dataset("mine", None, tmp_path)
        assert open_dataset("mine", tmp_path, tmp_path).name == "mine"
    finally:
        registry._registered[DATASETS].pop("mine", None)


def test_a_small_phantom_is_built_when_first_read_and_then_found(tmp_path: Path) -> None:
    options = {
        "kind": "ms",
        "scanner": "b",
        "spacing": 4.0,
        "counts": {"val": 1, "test": 1},
        "lesion_free": {"test": 1},
    }
    steps: list[tuple[str, int, int]] = []
    adapter = PhantomAdapter("tiny", tmp_path / "tiny", options)
    adapter.prepare(lambda *step: steps.append(step), workers=1)
    assert steps[-1][1:] == (2, 2)
    assert [len(adapter.split().ids(name)) for name in ("train", "val", "test")] == [0, 1, 1]
    (subject,) = adapter.subjects_in("test")
    assert subject.site
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "tiny").rglob("*.nii.gz")}
    again = PhantomAdapter("tiny", tmp_path / "tiny", options)
    assert again.subjects() == adapter.subjects()
    assert files == {path: path.stat().st_mtime_ns for path in files}
    with pytest.raises(UserError, match=r"options.spacin"):
        PhantomAdapter("tiny", tmp_path / "tiny", {"spacin": 2})


def test_naming_data_sets_imports_neither_torch_nor_nilearn() -> None:
    code = (
        "import sys; from datasets.adapters.catalogue import dataset_names, find_entry; dataset_names();"
        "find_entry('brats21'); bad = {'torch', 'nilearn', 'nibabel'} & set(sys.modules);"
        "assert not bad, bad;"
        "import datasets.adapters.folder, datasets.slices.store, datasets.adapters.shifts, datasets.phantom.adapter;"
        "bad = {'torch', 'nilearn', 'matplotlib', 'sklearn'} & set(sys.modules);"
        "assert not bad, bad"
    )
    root = ROOT
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
