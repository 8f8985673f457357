"""Damaged files, archives with tricks, a full disk, a kill: one line each, and nothing half-written."""

import gzip
import html
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.downloads import brats, member, tar_of, tree, without_figures
from support.places import ROOT
from support.small_scans import AFFINE, SHAPE, save, write_subject

REPOSITORY = ROOT


@pytest.fixture(autouse=True)
def _quick(monkeypatch, request):
    if "report" not in request.node.name:
        without_figures(monkeypatch)


def lines_of(answer):
    return [
        line.removeprefix("not prepared: ")
        for line in answer.err.splitlines()
        if "not prepared:" in line
    ]


def at(folder, kind):
    return folder / f"{folder.name}_{kind}.nii.gz"


def values(folder, kind):
    return nib.load(at(folder, kind)).get_fdata().astype(np.float32)


def truncated(folder):
    at(folder, "flair").write_bytes(at(folder, "flair").read_bytes()[:-900])


def other_content(folder):
    at(folder, "t1").write_bytes(b"\xff\xd8\xff\xe0 a photograph" * 50)


def other_ending(folder):
    at(folder, "t2").rename(folder / f"{folder.name}_t2.mgz")


def four_dimensions(folder):
    save(at(folder, "t1ce"), np.stack([values(folder, "t1ce")] * 2, axis=-1))


def same_scan_for_two(folder):
    image = values(folder, "t1")
    save(at(folder, "t1ce"), image.astype(np.float32))  # another format, the same voxels


def mask_as_scan(folder):
    shutil.copyfile(at(folder, "seg"), at(folder, "flair"))


def scan_as_mask(folder):
    save(at(folder, "seg"), values(folder, "t2").astype(np.int16))


def mask_on_another_grid(folder):
    save(at(folder, "seg"), values(folder, "seg")[:, :, :-2].astype(np.uint8))


def mask_in_another_place(folder):
    save(
        at(folder, "seg"),
        values(folder, "seg").astype(np.uint8),
        AFFINE + np.eye(4)[3] * np.eye(4)[0][:, None] * 9,
    )


def nothing_but_zeros(folder):
    save(at(folder, "t2"), np.zeros(SHAPE, np.int16))


def zero_bytes(folder):
    at(folder, "t1").write_bytes(bytes(4000))


def empty_gzip(folder):
    at(folder, "t1").write_bytes(gzip.compress(b""))


def not_a_number(folder):
    image = values(folder, "t1")
    image[2, 3, 4:7] = np.nan
    save(at(folder, "t1"), image)


DAMAGES = {
    truncated: ("_flair.nii.gz: truncated or damaged gzip",),
    other_content: ("_t1.nii.gz: not a NIfTI file",),
    other_ending: ("t2 missing", "_t2.mgz: not named .nii"),
    four_dimensions: ("_t1ce.nii.gz: shape 40x36x14x2: one 3-D volume",),
    same_scan_for_two: ("_t1ce.nii.gz: the same voxels as", "_t1.nii.gz: t1 and t1ce wanted"),
    mask_as_scan: ("_flair.nii.gz: nothing but the values 0, 4: a mask",),
    scan_as_mask: ("_seg.nii.gz: label ", "one of 0, 1, 2, 3, 4 wanted"),
    mask_on_another_grid: ("_seg.nii.gz has shape 40x36x12", "has 40x36x14"),
    mask_in_another_place: ("_seg.nii.gz has affine",),
    nothing_but_zeros: ("_t2.nii.gz: every voxel is zero",),
    zero_bytes: ("_t1.nii.gz: not a NIfTI file",),
    empty_gzip: ("_t1.nii.gz: not a NIfTI file",),
    not_a_number: ("_t1.nii.gz: 3 voxels are NaN",),
}


def test_each_damaged_file_is_one_line_and_the_sound_subjects_are_prepared(cli, tmp_path):
    root = tmp_path / "download"
    for k, damage in enumerate(DAMAGES):
        damage(write_subject(root, f"Bad_{k:02d}", k))
    two = write_subject(root, "Bad_99", 60)  # two damaged files of one subject are two lines
    truncated(two)
    zero_bytes(two)
    for k in (70, 71):
        write_subject(root, f"Good_{k}", k)
    before = tree(root)
    output = tmp_path / "prepared"
    answer = cli("prepare", "brats21", root, "--output", output, "--workers", "1")
    assert answer.code == 1
    assert tree(root) == before
    lines = lines_of(answer)
    for k, (damage, words) in enumerate(DAMAGES.items()):
        found = [line for line in lines if line.startswith(f"Bad_{k:02d}: ")]
        assert len(found) == 1, (damage.__name__, found)
        for word in words:
            assert word in found[0], (damage.__name__, found[0])
        assert ".partial" not in found[0]
    assert sum(line.startswith("Bad_99: ") for line in lines) == 2
    assert len(lines) == len(DAMAGES) + 2
    page = (output / "report" / "report.html").read_text()
    assert f"<b>{len(DAMAGES) + 1}</b>not prepared" in page
    assert all(f"<li>{html.escape(line)}</li>" in page for line in lines)
    assert sorted(p.name for p in output.iterdir() if p.name[0] in "BG.") == [
        ".lock",
        "Good_70",
        "Good_71",
    ]


def test_a_mended_subject_is_prepared_by_the_next_call(cli, tmp_path):
    root = tmp_path / "download"
    write_subject(root, "A", 1)
    sound = write_subject(root, "B", 2)
    whole = at(sound, "flair").read_bytes()
    truncated(sound)
    command = ("prepare", "brats21", root, "--output", tmp_path / "prepared", "--workers", "1")
    assert cli(*command).code == 1
    at(sound, "flair").write_bytes(whole)
    answer = cli(*command)
    assert answer.code == 0
    assert "2 subjects" in answer.out
    assert "(1 of them before)" in answer.out


def test_a_prepared_subject_whose_linked_file_was_damaged_since_leaves_the_splits(cli, tmp_path):
    root = tmp_path / "download"
    for k in range(3):
        write_subject(root, f"S{k}", k)
    command = ("prepare", "brats21", root, "--output", tmp_path / "prepared", "--workers", "1")
    assert cli(*command).code == 0
    path = at(root / "S1", "flair")
    content = bytearray(path.read_bytes())
    content[3000:4000] = bytes(1000)  # of the same size
    path.write_bytes(bytes(content))
    answer = cli(*command)
    assert answer.code == 1
    assert "S1_flair.nii.gz: truncated or damaged gzip" in answer.err
    rows = [p.read_text() for p in (tmp_path / "prepared" / "splits").iterdir()]
    assert "S1" not in "".join(rows)


def test_one_scan_under_two_names_is_kept_out_of_the_splits(cli, tmp_path):
    root = tmp_path / "download"
    for k in range(3):
        write_subject(root, f"S{k}", k)
    save(at(root / "S2", "t1"), values(root / "S0", "t1"))
    answer = cli("prepare", "brats21", root, "--output", tmp_path / "prepared", "--workers", "1")
    assert answer.code == 1
    assert lines_of(answer) == [
        "S2: its t1 is the scan of S0 under another name: left out of the splits"
    ]
    rows = [p.read_text() for p in (tmp_path / "prepared" / "splits").iterdir()]
    assert "S2" not in "".join(rows)


def tricky_tar(path: Path, folder: Path) -> dict[str, str]:
    """Write a tar whose members try to get out of the folder, and return what is to be said of each."""
    scan = next(folder.glob("*/*_flair.nii.gz")).read_bytes()
    with tarfile.open(path, "w") as archive:
        archive.add(folder, "data")
        member(archive, "../Evil_1/Evil_1_flair.nii.gz", scan)
        member(archive, "/tmp/Evil_2_flair.nii.gz", scan)
        member(archive, "data/../../Evil_3_flair.nii.gz", scan)
        member(archive, "C:\\Evil_4_flair.nii.gz", scan)
        member(archive, "data/..\\Evil_5_flair.nii.gz", scan)
        member(
            archive, "data/Evil_6_flair.nii.gz", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"
        )
        member(
            archive,
            "data/Evil_7_flair.nii.gz",
            b"",
            type=tarfile.LNKTYPE,
            linkname="data/S0/S0_t1.nii.gz",
        )
        member(archive, "data/Evil_8_flair.nii.gz", b"", type=tarfile.CHRTYPE)
        member(archive, "data/Evil_9_flair.nii.gz", b"", type=tarfile.FIFOTYPE)
        member(archive, "data/._S0_flair.nii.gz", b"what macOS adds")
    return {
        "Evil_1": "leaves the folder by '..'",
        "Evil_2": "absolute path",
        "Evil_3": "leaves the folder",
        "Evil_4": "absolute path",
        "Evil_5": "leaves the folder",
        "Evil_6": "is a link (to '/etc/passwd')",
        "Evil_7": "is a link",
        "Evil_8": "is a device",
        "Evil_9": "is a device",
    }


@pytest.mark.parametrize("compressed", [False, True])
def test_members_that_try_to_leave_the_folder_are_refused_by_name(cli, tmp_path, compressed):
    for k in range(2):
        write_subject(tmp_path / "in", f"S{k}", k)
    path = tmp_path / "deep" / "er" / "tricks.tar"
    path.parent.mkdir(parents=True)
    said = tricky_tar(path, tmp_path / "in")
    if compressed:
        packed = path.with_suffix(".tgz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path = packed
    output = tmp_path / "deep" / "prepared"
    before = {p for p in tmp_path.rglob("*") if output not in p.parents}
    answer = cli("prepare", "brats21", path, "--output", output, "--workers", "1")
    assert answer.code == 1
    lines = lines_of(answer)
    assert len(lines) == len(said)
    for name, reason in said.items():
        (line,) = [line for line in lines if name in line]
        assert reason in line
        assert str(path) in line
    after = {p for p in tmp_path.rglob("*") if output not in p.parents}
    assert after - before == {output}
    assert sorted(p.name for p in output.glob("S*")) == ["S0", "S1"]
    assert not list(output.rglob("*Evil*"))


def test_a_zip_with_a_link_and_a_path_that_leaves(cli, tmp_path):
    folder = write_subject(tmp_path / "in", "S0", 0)
    path = tmp_path / "tricks.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"S0/{file.name}")
        archive.writestr("../Evil_1_flair.nii.gz", b"x")
        link = zipfile.ZipInfo("Evil_2_flair.nii.gz")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    answer = cli("prepare", "brats21", path, "--output", tmp_path / "prepared", "--workers", "1")
    assert answer.code == 1
    lines = lines_of(answer)
    assert len(lines) == 2
    assert "leaves the folder" in lines[0]
    assert "is a link" in lines[1]
    assert not (tmp_path / "Evil_1_flair.nii.gz").exists()


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".zip"])
def test_a_truncated_archive_is_named_and_what_stands_before_the_break_is_used(
    cli, tmp_path, ending
):
    brats(tmp_path / "in", count=3)
    path = tmp_path / f"BraTS{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((tmp_path / "in").rglob("*.gz")):
                archive.write(file, file.name)
    else:
        with tarfile.open(path, "w:gz" if ending.endswith("gz") else "w") as tar:
            for file in sorted((tmp_path / "in").rglob("*.gz")):
                tar.add(file, file.name)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    output = tmp_path / "prepared"
    answer = cli("prepare", "brats21", path, "--output", output, "--workers", "1")
    assert answer.code == 1
    lines = lines_of(answer)
    assert sum(str(path) in line for line in lines) == 1, lines
    if ending != ".zip":  # its directory stands at the end
        assert "truncated" in lines[0]
        assert [p.name for p in sorted(output.glob("BraTS2021*"))] == ["BraTS2021_00000"]
        assert any("missing" in line for line in lines)


def test_a_folder_with_other_things_in_it_is_left_alone(cli, tmp_path):
    write_subject(tmp_path / "in", "S0", 0)
    place = tmp_path / "mine"
    place.mkdir()
    (place / "thesis.tex").write_text("years of work")
    answer = cli("prepare", "brats21", tmp_path / "in", "--output", place)
    assert answer.code == 2
    assert "thesis.tex" in answer.err
    assert tree(place).keys() == {"thesis.tex"}
    answer = cli("prepare", "brats21", place, "--output", tmp_path)
    assert answer.code == 2
    assert "lies in it" in answer.err


def test_other_options_for_the_same_output_are_refused(cli, tmp_path):
    write_subject(tmp_path / "in", "S0", 0)
    command = (
        *("prepare", "brats21", tmp_path / "in", "--output", tmp_path / "out", "--workers", "1"),
    )
    cli(*command)
    answer = cli(*command, "--files", "copy")
    assert answer.code == 2
    assert 'files "links", now "copies"' in answer.err


def test_too_little_space_is_told_before_anything_is_written(cli, tmp_path, monkeypatch):
    brats(tmp_path / "in", count=2)
    tar = tar_of(tmp_path / "in", tmp_path / "b.tar")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    answer = cli("prepare", "brats21", tar, "--output", tmp_path / "out", "--workers", "1")
    assert answer.code == 2
    assert "2 subjects take" in answer.err
    assert not list((tmp_path / "out").glob("*BraTS*"))


def command(source, output):
    return [
        *(sys.executable, "-m", "benchmark", "prepare", "brats21", str(source)),
        *("--output", str(output), "--workers", "1"),
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_no_space_left_is_one_line_and_leaves_nothing_half_written(tmp_path, packed):
    inner = brats(tmp_path / "in", count=2)
    large = at(inner / "BraTS2021_00001", "t2")
    noise = np.random.default_rng(0).normal(500, 90, SHAPE).astype(np.float32)
    save(large, np.where(values(inner / "BraTS2021_00001", "t1") > 0, noise, 0).astype(np.float32))
    source = tar_of(tmp_path / "in", tmp_path / "b.tar.gz", "w:gz") if packed else tmp_path / "in"
    output = tmp_path / "out"
    limit = 25_000  # bytes of any one file: refused by the kernel, as a full disk or quota is
    assert large.stat().st_size > limit

    def small_disk():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    arguments = [*command(source, output), "--files", "copy"]
    done = subprocess.run(
        arguments, cwd=REPOSITORY, preexec_fn=small_disk, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("andi-bench:")]
    assert len(lines) == 1
    assert "make room and run again" in lines[0]
    assert "Traceback" not in done.stderr
    assert not list(output.glob(".partial*"))
    assert not list(output.rglob("*.partial"))
    assert not (output / "BraTS2021_00001").exists()
    assert (
        subprocess.run(arguments, cwd=REPOSITORY, capture_output=True, check=False).returncode == 0
    )
    for kind in ("flair", "t1", "t1ce", "t2", "seg"):
        made = at(output / "BraTS2021_00001", kind).read_bytes()
        assert made == at(inner / "BraTS2021_00001", kind).read_bytes()


def interrupted(source, output, delay):
    """Start a preparation and kill it, with all of its processes, after a while; return whether it was in time."""
    process = subprocess.Popen(
        command(source, output),
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    begun = time.monotonic()
    while process.poll() is None and not output.exists():
        time.sleep(0.01)  # starting Python is not what is tested
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return time.monotonic() - begun, process.returncode


def killed_and_finished(tmp_path, moments, packing):
    brats(tmp_path / "in", count=12)
    source = (
        tar_of(tmp_path / "in", tmp_path / "b.tar.gz", "w:gz")
        if packing == "gz"
        else tar_of(tmp_path / "in", tmp_path / "b.tar")
    )
    undisturbed = tmp_path / "a" / "out"
    undisturbed.parent.mkdir()
    seconds, code = interrupted(source, undisturbed, 600)
    assert code == 0
    wanted = tree(undisturbed)
    output = tmp_path / "b" / "out"
    output.parent.mkdir()
    killed = 0
    for moment in moments:
        _, code = interrupted(source, output, moment * seconds)
        killed += code == -signal.SIGKILL
        for folder in output.glob("BraTS*"):  # what is there is whole
            for path in folder.iterdir():
                name = path.relative_to(output).as_posix()
                assert tree(folder)[path.name] == wanted[name]
    done = subprocess.run(command(source, output), cwd=REPOSITORY, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert tree(output) == wanted
    return killed


def test_a_kill_leaves_nothing_that_the_next_call_takes_for_good(tmp_path):
    assert killed_and_finished(tmp_path, [0.12], "plain") == 1


@pytest.mark.slow
@pytest.mark.parametrize("packing", ["plain", "gz"])
def test_ten_kills_at_random_moments_and_the_result_is_that_of_an_undisturbed_run(
    tmp_path, packing
):
    moments = [random.Random(packing).uniform(0, 0.4) for _ in range(10)]
    random.Random(1).shuffle(moments)
    assert killed_and_finished(tmp_path, moments, packing) >= 5
