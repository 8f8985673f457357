"""``preparation.json``: one form for every preparation; folders prepared by former versions are still prepared."""

import json

import pytest
from support.downloads import without_figures
from support.small_scans import write_subject

from andi_bench.errors import UserError
from datasets.prepare.former_sidecars import PREPARED
from datasets.prepare.register.original_grid import preparation_of
from datasets.prepare.sidecar import SIDECAR, Preparation, read_preparation, read_whole, readable


def split_in_two(found):
    """Return the two sidecars that the former version wrote for a subject, None for one it did not."""
    now = json.loads(found.model_dump_json())
    files = {}
    for kind, entry in now["files"].items():
        files[kind] = {key: entry[key] for key in ("file", "bytes", "how", "stamp")}
        files[kind]["from"] = entry["path"]
    prepared = {key: now[key] for key in ("subject", "person", "attributes", "part", "facts")}
    warnings = list(found.all_warnings)
    voxels = {kind: entry["voxels"] for kind, entry in now["files"].items() if entry["voxels"]}
    prepared |= {"files": files, "voxels": voxels, "warnings": warnings}
    if found.registration is None:
        return prepared, None
    return prepared, registration_alone(found)


def registration_alone(found):
    """Return the former ``preparation.json`` of a registered subject."""
    now = json.loads(found.model_dump_json())
    sources = {
        "seg" if kind == "mask" else kind: {
            **entry["original"],
            "path": entry["path"],
            "output": entry["file"],
        }
        for kind, entry in now["files"].items()
    }
    kept = {key: now[key] for key in ("subject", "registration", "matching", "versions")}
    return {"format": 1, **kept, "sources": sources, "warnings": []}


def put_back(folder, files=True):
    """Give a prepared folder the sidecars of the former version; return what today's said."""
    found = read_preparation(folder)
    prepared, described = split_in_two(found) if files else (None, registration_alone(found))
    (folder / SIDECAR).unlink()
    for name, content in ((PREPARED, prepared), (SIDECAR, described)):
        if content is not None:
            (folder / name).write_text(json.dumps(content, indent=1))
    unknown = {"changed": "", "hash": ""}  # what only today's says
    told = {kind: file.model_copy(update=unknown) for kind, file in found.files.items()}
    return found.model_copy(update={"files": told})


@pytest.mark.parametrize("registered", [False, True])
def test_own_scans_prepared_by_the_former_version_are_found_again(
    cli, coarse, tmp_path, monkeypatch, registered
):
    without_figures(monkeypatch)
    for k in range(2):
        write_subject(tmp_path / "scans", f"A{k}", k)
    output = tmp_path / "out"
    more = ("--register", "--template", coarse) if registered else ()
    command = ("prepare", "folder", tmp_path / "scans", "--output", output, "--workers", 1, *more)
    assert cli(*command).code == 0
    times = {path: path.stat().st_mtime_ns for path in output.glob("*/*.nii.gz")}
    for name in ("A0", "A1"):
        before = put_back(output / name)
        assert (output / name / SIDECAR).exists() == registered
        assert read_preparation(output / name) == before
        found = preparation_of({"t1": output / name / "x"})
        assert (found is not None) == registered  # the way back is wanted where scans were moved
    answer = cli(*command)
    assert answer.code == 0, answer.err
    assert "2 subjects" in answer.out
    assert "(2 of them before)" in answer.out
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_shifts_prepared_by_the_former_version_is_found_again(
    cli, coarse, raw_shifts, finished, tmp_path
):
    for folder in [*(finished / "registered").iterdir(), *(finished / "patients").iterdir()]:
        before = put_back(folder, files=False)
        again = read_preparation(folder)
        assert again.files.keys() == before.files.keys()
        assert again.to_prepared.tolist() == before.to_prepared.tolist()
        assert again.originals["mask"].original == before.originals["mask"].original
    answer = cli(
        *("prepare", "shifts", "--raw", raw_shifts, "--output", finished, "--template", coarse),
        *("--workers", 1),
    )
    assert answer.code == 0, answer.err
    assert answer.err.count("2 patients, 2 of them before") == 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (SIDECAR, "{"),
        (SIDECAR, "[1]"),
        (SIDECAR, '{"format": 1, "subject": "A"}'),
        (SIDECAR, '{"format": 3}'),
        (PREPARED, '{"subject": "A"}'),
        (PREPARED, "\x00"),
    ],
)
def test_a_damaged_sidecar_is_one_line_and_no_whole_folder(tmp_path, name, text):
    folder = tmp_path / "A"
    folder.mkdir()
    (folder / name).write_text(text)
    with pytest.raises(UserError, match="damaged") as caught:
        read_preparation(folder)
    assert "\n" not in str(caught.value)
    assert read_whole(folder) is None


def test_a_text_with_brackets_is_written_as_it_is():
    odd = "[1,   2]\t[ 3 ]"
    found = Preparation(subject="A", person="A", attributes={"note": odd}, files={})
    assert Preparation.model_validate_json(readable(found)) == found
