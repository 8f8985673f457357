"""``show``: one run, found by whatever names it, printed within 100 columns."""

import json

import pytest
from support.page_records import write_run

from andi_bench.metrics.mean_intervals import share_interval
from andi_bench.records.store import read_record, read_subjects


@pytest.fixture
def records(tmp_path):
    folder = tmp_path / "workspace" / "records"
    long = tuple(f"a-subject-with-a-long-name-{k:03d}" for k in range(4))
    write_run(
        folder, "andi", subjects=long, previews=[long[0]], notes=("a note that says much " * 9,)
    )
    write_run(folder, "andi", seed=1)
    write_run(
        folder,
        "dae",
        label="\x1b[31mred [bold]label[/bold]",
        unranked="no validation split",
        guards=({"name": "splits disjoint", "passed": False, "detail": "S001 in both"},),
    )
    return folder


def test_a_run_is_shown_whole_within_100_columns(cli, records):
    answer = cli("show", "andi__phantom__seed0")
    assert answer.code == 0, answer.err
    folder = next(records.glob("andi__phantom__seed0*"))
    wide = [line for line in answer.out.splitlines() if len(line) > 100]
    assert set(wide) <= {str(folder)}  # only the path, which is for copying
    assert answer.out.count("a-subject-with-a-long-name-00") == 4
    for text in (
        "region",
        "val-fpr5",
        "how oracle was found",
        "splits disjoint",
        "300 s",
        "torch 2.13.0",
        str(folder.name),
        "1 subject, for compare --html",
    ):
        assert text in answer.out
    table = [line.split() for line in answer.out.splitlines() if line.startswith("a-subject")]
    content = json.loads(cli("show", folder, "--json").out)
    dice = {
        line["subject"]: line["dice"]
        for line in content["subjects"]
        if (line["chain"], line["point"]) == ("raw", "val-dice")
    }
    assert {line[0]: float(line[2]) for line in table} == pytest.approx(dice, abs=5e-4)
    standing = [float(line[5]) for line in table]  # of the pipeline that stands for the run
    assert standing == sorted(standing, reverse=True)


def test_what_to_try_next_and_the_course_of_the_loss_are_shown(cli, records):
    folder = write_run(records, "behind", skill=0.3)
    write_run(records, "voxel-statistics", skill=0.9)
    (folder / "loss.csv").write_text(
        "step,loss\n" + "".join(f"{k},{9 - k / 20}\n" for k in range(60))
    )
    answer = cli("show", "behind")
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    advice = " ".join(lines[lines.index("What to try next") : lines.index("Training loss")])
    assert "behind a simple method: voxel-statistics has mean Dice" in advice
    assert "loss still falling" in advice
    assert set(lines[lines.index("Training loss") + 1]) == set("▁▂▃▄▅▆▇█")
    assert "9 at step 0" in answer.out


def test_the_interval_of_a_run_is_that_of_its_row(cli, tmp_path):
    """The record's own is a percentile bootstrap, which held the truth in .86 at eight subjects."""
    folder = write_run(tmp_path / "workspace" / "records", "andi")
    (row,) = json.loads(cli("compare", "--json").out)["tables"][0]["rows"]
    chain = row["pipeline"]
    mean = read_record(folder).summary[chain].subjects["dice@val-dice"].mean
    table = read_subjects(folder)
    values = table[(table["chain"] == chain) & (table["point"] == "val-dice")]["dice"].dropna()
    low, high = share_interval(values.to_numpy()[:, None])
    shown = ", ".join(f"{limit:.2f}".removeprefix("0") for limit in (low, high))
    assert f"{mean:.3f} [{shown}]" in cli("show", folder.name).out
    assert (row["dice@val-dice_low"], row["dice@val-dice_high"]) == pytest.approx((low, high))


def test_what_keeps_a_run_from_its_rank_is_said_first_and_no_name_steers_the_terminal(cli, records):
    out = cli("show", "dae").out
    assert "No rank: no validation split" in out.splitlines()[1]
    assert "Guard failed: splits disjoint (S001 in both)" in out.splitlines()[2]
    assert "\x1b" not in out
    assert "[bold]label[/bold]" in out


def test_a_name_that_means_several_runs_or_none_is_a_mistake_in_one_line(cli, records):
    several = cli("show", "andi")
    assert several.code == 2
    assert "2 begin so" in several.err
    assert "andi__phantom__seed1" in several.err
    none = cli("show", "andy__phantom__seed0")
    assert none.code == 2
    assert "did you mean 'andi__phantom__seed" in none.err
    (next(records.glob("dae*")) / "subjects.csv").write_text("changed")
    assert "changed after the run" in cli("show", "dae").err
    assert cli("show", "dae", "--records", records / "nowhere").code == 2


def test_figures_of_an_earlier_protocol_say_so(cli, records):
    said = "Measured by version 1 of the protocol"
    assert said not in cli("show", "andi__phantom__seed0").out
    newer = read_record(next(records.glob("andi__phantom__seed0*")))
    write_run(records, "old", protocol=newer.protocol.model_copy(update={"version": 1}))
    answer = cli("show", "old")
    assert answer.code == 0, answer.err
    assert said in answer.out
