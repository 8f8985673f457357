"""The run record: written whole or not at all, never overwritten, and honest about damage."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.histogram_file import read_histograms

from andi_bench.errors import UserError
from andi_bench.records.digests import listed_digests
from andi_bench.records.search import find_records, verify_records
from andi_bench.records.store import (
    ChainSummary,
    Costs,
    Pooled,
    Protocol,
    RecordedThreshold,
    RunInfo,
    RunRecord,
    SubjectSummary,
    find_run,
    identity,
    read_record,
    read_subjects,
    without_measured,
    write_record,
)


def make_record(seed: int = 0, **changes: object) -> RunRecord:
    parts = {"method": "andi", "dataset": "phantom", "seed": seed}
    values: dict[str, object] = {
        "run": RunInfo(
            method="andi",
            label="ANDi",
            dataset="phantom",
            seed=seed,
            preset="quick",
            identity=identity(parts),
            created="2026-01-01T00:00:00+00:00",
        ),
        "protocol": Protocol(spacing_mm=(3.75, 3.75, 2.5), shape=(64, 64, 62)),
        "operating_points": {
            "raw": {
                "val-dice": RecordedThreshold(threshold=0.1 + 0.2, reached=0.4),
                "yen": RecordedThreshold(),
            }
        },
        "summary": {
            "raw": ChainSummary(
                pooled=Pooled(ap=np.float32(0.1), prevalence=1 / 3),
                subjects={"dice@val-dice": SubjectSummary(mean=0.5, low=0.4, high=0.6, n=2)},
            ),
            "median5": ChainSummary(),
        },
        "costs": Costs(seconds_per_volume=1.5, parameters=np.int64(7), device="cpu"),
        "config": {"steps": np.int64(5), "path": Path("a/b"), "range": (1, 2)},
        "notes": ("läuft",),
    }
    return RunRecord(**{**values, **changes})  # type: ignore[arg-type]


def make_subjects() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject": ["007", "NA"],
            "site": ["", "Ljubljana, SI"],
            "chain": ["raw", "raw"],
            "point": ["val-dice", "val-dice"],
            "sex": ["f", ""],
            "dice": [0.1 + 0.2, None],
        }
    )


HISTOGRAMS = {"raw/007": np.arange(5, dtype=np.uint32), "raw/NA": np.zeros((2, 3))}


def write(directory: Path, seed: int = 0) -> Path:
    return write_record(directory, make_record(seed), make_subjects(), HISTOGRAMS)


def test_a_record_read_back_is_the_record_written(tmp_path: Path) -> None:
    folder = write(tmp_path / "records")
    assert folder.name.startswith("andi__phantom__seed0__")
    assert len(folder.name.rsplit("__", 1)[1]) == 8
    record = read_record(folder)
    written = make_record()
    assert record.folder == folder
    assert record.to_json() == written.to_json()
    assert record.operating_points["raw"]["val-dice"].threshold == 0.1 + 0.2
    assert record.config == {"steps": 5, "path": "a/b", "range": [1, 2]}
    pd.testing.assert_frame_equal(
        read_subjects(folder), make_subjects().astype({"dice": float}), check_dtype=False
    )
    histograms = read_histograms(folder)
    assert list(histograms) == list(HISTOGRAMS)
    assert all(
        (histograms[k] == v).all() and histograms[k].dtype == v.dtype for k, v in HISTOGRAMS.items()
    )


def test_a_record_is_readable_without_the_package(tmp_path: Path) -> None:
    folder = write(tmp_path)
    content = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert content["schema"] == 5
    assert list(content)[:4] == ["schema", "run", "protocol", "method"]
    assert content["run"]["status"] == "complete"
    assert (
        subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, check=False).returncode == 0
    )


def test_the_same_run_gives_the_same_bytes_but_for_times(tmp_path: Path) -> None:
    later = make_record(
        run=make_record().run.model_copy(update={"created": "2027-02-02T00:00:00+00:00"}),
        costs=Costs(seconds_per_volume=9.5, peak_memory_mb=3, parameters=7, device="cpu"),
    )
    first = write(tmp_path / "a")
    second = write_record(tmp_path / "b", later, make_subjects(), HISTOGRAMS)
    for name in ("subjects.csv", "histograms.npz"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    texts = [(folder / "record.json").read_text() for folder in (first, second)]
    assert texts[0] != texts[1]
    contents = [without_measured(json.loads(text)) for text in texts]
    assert json.dumps(contents[0]) == json.dumps(contents[1])
    assert contents[0]["costs"]["parameters"] == 7
    assert "seconds_per_volume" not in contents[0]["costs"]


def test_identity_depends_on_values_and_not_on_the_order_of_keys() -> None:
    one = identity({"seed": 0, "detector": {"a": 1, "b": (1, 2)}})
    assert one == identity({"detector": {"b": [1, 2], "a": np.int64(1)}, "seed": 0})
    assert len(one) == 64
    assert one != identity({"seed": 1, "detector": {"a": 1, "b": (1, 2)}})
    with pytest.raises(ValueError, match="Out of range"):
        identity({"a": float("nan")})


def test_a_failure_while_figures_are_drawn_leaves_nothing(tmp_path: Path) -> None:
    def attach(folder: Path) -> None:
        (folder / "loss.csv").write_text("step,loss\n")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_record(tmp_path, make_record(), make_subjects(), HISTOGRAMS, attach)
    assert list(tmp_path.iterdir()) == []


def test_what_is_attached_comes_along(tmp_path: Path) -> None:
    folder = write_record(
        tmp_path,
        make_record(),
        make_subjects(),
        HISTOGRAMS,
        lambda partial: (partial / "loss.csv").write_text("step,loss\n") and None,
    )
    assert (folder / "loss.csv").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_an_unfinished_folder_is_not_a_record(tmp_path: Path) -> None:
    folder = write(tmp_path)
    folder.rename(tmp_path / f".{folder.name}.1234.partial")
    assert find_records(tmp_path) == ([], [])
    assert find_run(tmp_path, make_record().run) is None


def test_a_finished_record_is_never_written_anew(tmp_path: Path) -> None:
    folder = write(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def attach(_: Path) -> None:
        raise AssertionError("drawn again")

    changed = make_record(notes=("another",))
    assert write_record(tmp_path, changed, make_subjects(), {}, attach) == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    found = find_run(tmp_path, changed.run)
    assert found is not None
    assert found.notes == ("läuft",)


def test_two_processes_that_finish_the_same_run_leave_one_record(tmp_path: Path) -> None:
    def attach(_: Path) -> None:  # the other process is done while this one draws
        write(tmp_path / "elsewhere")
        name = make_record().run.folder_name
        (tmp_path / "elsewhere" / name).rename(tmp_path / name)

    folder = write_record(tmp_path, make_record(), make_subjects(), HISTOGRAMS, attach)
    assert read_record(folder).run == make_record().run
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_another_identity_under_the_same_name_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path)
    run = make_record().run
    other = run.model_copy(update={"identity": run.identity[:8] + "0" * 56})
    with pytest.raises(UserError, match=r"run.identity = .* wanted"):
        write_record(tmp_path, make_record(run=other), make_subjects(), {})
    assert read_record(folder).run == run


def truncate(folder: Path) -> None:
    path = folder / "record.json"
    path.write_bytes(path.read_bytes()[:500])


def edit(folder: Path) -> None:
    path = folder / "record.json"
    text = path.read_text(encoding="utf-8")
    assert '"mean": 0.5' in text
    path.write_text(text.replace('"mean": 0.5', '"mean": 0.9'), encoding="utf-8")


def misspell(folder: Path) -> None:
    path = folder / "record.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"seed": 0', '"seed": "zero"'), encoding="utf-8"
    )


def other_schema(folder: Path) -> None:
    path = folder / "record.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"schema": 5', '"schema": 99'), encoding="utf-8"
    )


def not_a_mapping(folder: Path) -> None:
    (folder / "record.json").write_text("[]")


def not_text(folder: Path) -> None:
    (folder / "record.json").write_bytes(b"\xff\xfe\x00")


def nan_inside(folder: Path) -> None:
    path = folder / "record.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"mean": 0.5', '"mean": NaN'), encoding="utf-8"
    )


DAMAGES = [
    (truncate, r"record\.json: not valid JSON"),
    (edit, r"record\.json: truncated or changed"),
    (misspell, r"record\.json: run\.seed = 'zero'"),
    (other_schema, r"record\.json: schema = 99, 1 to 5 wanted"),
    (not_a_mapping, r"record\.json: schema = None"),
    (not_text, r"record\.json: not valid JSON"),
    (nan_inside, r"record\.json: summary\.raw\.subjects\.dice@val-dice\.mean"),
    (lambda folder: (folder / "subjects.csv").unlink(), r"subjects\.csv: missing"),
    (
        lambda folder: (folder / "pooled.npz").write_bytes(b"PK"),
        r"pooled\.npz: truncated or changed after the run: SHA-256 [0-9a-f]{64} found, [0-9a-f]{64} in",
    ),
    (lambda folder: (folder / "histograms.npz").unlink(), r"histograms\.npz: missing"),
    (lambda folder: (folder / "SHA256SUMS").unlink(), r"SHA256SUMS: cannot be read"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_damaged_record_is_named_and_skipped_while_the_others_are_read(
    tmp_path, damage, message
) -> None:
    bad, good = write(tmp_path, seed=0), write(tmp_path, seed=1)
    damage(bad)
    with pytest.raises(UserError, match=message):
        read_record(bad)
    with pytest.raises(UserError, match="to run it again"):
        find_run(tmp_path, make_record(0).run)
    records, skipped = find_records(tmp_path)
    assert [record.folder for record in records] == [good]
    assert [folder for folder, _ in skipped] == [bad]
    assert bad.name in skipped[0][1]
    assert "\n" not in skipped[0][1]


def test_digests_of_files_that_a_comparison_does_not_read_are_left_to_verify(tmp_path) -> None:
    bad, _ = write(tmp_path, seed=0), write(tmp_path, seed=1)
    assert verify_records(tmp_path) == 2
    (bad / "histograms.npz").write_bytes(b"PK")
    message = r"histograms\.npz: truncated or changed after the run: SHA-256 [0-9a-f]{64} found"
    assert len(find_records(tmp_path).records) == 2
    with pytest.raises(UserError, match=message):
        verify_records([tmp_path])
    with pytest.raises(UserError, match=message):  # a run that is asked for again
        find_run(tmp_path, make_record(0).run)
    assert verify_records(tmp_path, "*seed1*") == 1

    (bad / "pooled.npz").unlink()  # then they are read
    kept = {name: own for name, own in listed_digests(bad).items() if name != "pooled.npz"}
    (bad / "SHA256SUMS").write_text("".join(f"{own}  {name}\n" for name, own in kept.items()))
    ((folder, reason),) = find_records(tmp_path).skipped
    assert folder == bad
    assert "histograms.npz: truncated or changed" in reason


def test_histograms_that_tell_what_an_older_records_threshold_reaches_are_checked(tmp_path) -> None:
    frozen = {"raw": {"val-dice": RecordedThreshold(threshold=0.3)}}
    older = make_record(0).model_copy(update={"operating_points": frozen})
    folder = write_record(tmp_path, older, make_subjects(), HISTOGRAMS)
    assert len(find_records(tmp_path).records) == 1
    (folder / "histograms.npz").write_bytes(b"PK")
    ((left_out, reason),) = find_records(tmp_path).skipped
    assert left_out == folder
    assert "histograms.npz: truncated or changed" in reason


def test_histograms_of_the_whole_grid_are_read_and_so_checked(tmp_path) -> None:
    record = make_record(0)
    whole = record.model_copy(
        update={"protocol": record.protocol.model_copy(update={"region": "all"})}
    )
    folder = write_record(tmp_path, whole, make_subjects(), HISTOGRAMS)
    (folder / "histograms.npz").write_bytes(b"PK")
    assert find_records(tmp_path).records == []


def test_foreign_folders_and_second_copies_are_named_and_skipped(tmp_path: Path) -> None:
    folder = write(tmp_path)
    copy = tmp_path / "zz-copied-from-elsewhere"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (tmp_path / "holiday").mkdir()
    (tmp_path / "note.txt").write_text("hello")
    records, skipped = find_records(tmp_path)
    assert len(records) == 1
    assert [path.name for path, _ in skipped] == ["holiday", "zz-copied-from-elsewhere"]
    assert "not a run record" in skipped[0][1]
    assert f"the same run as {folder.name}" in skipped[1][1]


def test_a_pattern_chooses_among_the_records(tmp_path: Path) -> None:
    write(tmp_path, seed=0)
    write(tmp_path, seed=1)
    assert [record.run.seed for record in find_records(tmp_path, "*seed1*").records] == [1]
    with pytest.raises(UserError, match="cannot be listed"):
        find_records(tmp_path, "")
    with pytest.raises(UserError, match="no such folder"):
        find_records(tmp_path / "absent")


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UserError, match=f"{blocked}.*cannot be written"):
        write(blocked)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    def attach(_: Path) -> None:
        raise OSError(28, "No space left on device", "figure.png")

    with pytest.raises(
        UserError, match=r"figure\.png: cannot be written \(No space left on device\)"
    ):
        write_record(tmp_path, make_record(), make_subjects(), HISTOGRAMS, attach)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("table", "histograms", "message"),
    [
        (make_subjects().drop(columns="point"), {}, "no column 'point'"),
        (pd.concat([make_subjects()] * 2), {}, "'007', 'raw', 'val-dice'.* twice"),
        (make_subjects(), {"raw": np.array([{}])}, "plain array"),
    ],
)
def test_a_table_or_array_that_could_not_be_read_back_is_not_written(
    tmp_path, table, histograms, message
):
    with pytest.raises(ValueError, match=message):
        write_record(tmp_path, make_record(), table, histograms)
    assert list(tmp_path.glob("*")) == []


def test_non_finite_numbers_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="finite"):
        Pooled(ap=float("nan"))
    with pytest.raises(ValueError, match="Out of range"):
        make_record(training={"loss": float("inf")}).to_json()


def test_records_need_neither_torch_nor_pandas_at_import() -> None:
    code = "import sys, andi_bench.records.store; print([m for m in ('torch', 'pandas', 'matplotlib') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_record_of_the_first_schema_is_still_read(tmp_path: Path) -> None:
    folder = write(tmp_path)
    path = folder / "record.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["schema"] = 1
    for later in ("groups", "native", "lesions", "paper"):
        del content[later]
    path.write_text(json.dumps(content), encoding="utf-8")
    sums = folder / "SHA256SUMS"
    lines = [line for line in sums.read_text().splitlines() if not line.endswith("record.json")]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sums.write_text("\n".join([f"{digest}  record.json", *lines]) + "\n", encoding="ascii")
    record = read_record(folder)
    assert record.grids == ("working",)
    assert record.lesions is None
