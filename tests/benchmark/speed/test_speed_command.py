"""``speed``: what it says of a method, without data and in little time."""

import json
import time

import pytest
import torch

from andi_bench.errors import UserError
from benchmark.speed import machine, measure, speed_rows
from benchmark.speed.variants import variants

TINY = (
    "speed --preset quick --repeats 1 --set preprocessing.size=16 --set preprocessing.field_of_view=null "
    "--set training.batch_size=2 --set scoring.batch_size=200"
)
SMALL_NET = "--set detector.base_width=4 --set detector.attention=[16]"


def test_a_diffusion_method_beside_the_plain_loop(cli):
    answer = cli(f"{TINY} -m andi {SMALL_NET} --set detector.stride=100 --reference --json")
    assert answer.code == 0, answer.err
    (found,) = json.loads(answer.out)
    assert found["grid"] == [16, 16, 155]
    assert (found["slices"], found["calls"]) == (129, 1.0)
    for key in ("scoring", "training", "scoring_reference", "training_reference"):
        assert found[key]["seconds"] > 0
        assert found[key]["measured"] == ""
    about = found["machine"]
    assert about["kind"] == "cpu"
    assert about["threads"] == torch.get_num_threads()
    assert about["torch"] == torch.__version__
    assert found["config"]["detector"]["stride"] == 100
    assert "loop" in speed_rows.row(found)
    assert speed_rows.row(found).count("|") == speed_rows.head()[0].count("|")


def test_settings_are_varied_and_methods_without_a_network_measured(cli):
    answer = cli(f"{TINY} -m thresholding -m voxel-statistics --vary scoring.reduction=max,first")
    assert answer.code == 0, answer.err
    rows = answer.out.splitlines()[2:]
    assert [[cell.strip() for cell in row.split("|")[1:4]] for row in rows] == [
        ["thresholding", "quick", f"{shown}scoring.reduction={how}"]
        for shown in [
            "preprocessing.size=16, preprocessing.field_of_view=null, "
            "training.batch_size=2, scoring.batch_size=200, "
        ]
        for how in ("max", "first")
    ] + [
        ["voxel-statistics", "quick", f"{shown}scoring.reduction={how}"]
        for shown in [
            "preprocessing.size=16, preprocessing.field_of_view=null, "
            "training.batch_size=2, scoring.batch_size=200, "
        ]
        for how in ("max", "first")
    ]
    assert "s a volume" in rows[2]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("-m thresholding --reference", "no plain loop is written for 'thresholding'"),
        ("--vary scoring.batch_size", "key=value,value wanted"),
        ("--vary batch_size=1,2", "a key starts with its section"),
        ("--vary scoring.reduction=none,max", "scoring.reduction = 'none'"),
        ("--set preprocessing.size=20", "a multiple of 16 wanted"),
        ("-m nothing", "nothing"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(cli, more, said):
    answer = cli(f"{TINY} {SMALL_NET if '-m' not in more else ''} {more}")
    assert answer.code == 2
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_a_slow_slice_is_left_and_scaled_by_its_calls(monkeypatch):
    overrides = {
        "preprocessing": {"size": 16, "field_of_view": None},
        "detector": {"base_width": 4, "attention": [16], "stride": 5, "noise_steps": 100},
    }
    asked = measure.Asked(
        "anoddpm", "quick", overrides=(overrides,), what="scoring", repeats=1, limit=0.4
    )
    built = measure.build_detector

    def slow(*given):
        detector = built(*given)
        detector.net.register_forward_pre_hook(lambda *_: time.sleep(0.05))
        return detector

    monkeypatch.setattr(measure, "build_detector", slow)
    found = measure.Measurer(asked).measured()
    said = found["scoring"]["measured"]
    assert found["calls"] == 20
    assert said.startswith("1 of 129 slices, ")
    assert said.endswith(" of its 20 network calls")
    assert found["scoring"]["seconds"] > 129 * 20 * 0.05  # a call is not faster than it sleeps
    assert said in " ".join(speed_rows.notes([found]))


def test_variants_are_all_combinations_and_a_list_is_one_value():
    found = variants(["detector.attention=[8, 16],[16]", "scoring.batch_size=1,2"])
    assert [settings for settings, _ in found] == [
        ("detector.attention=[8, 16]", "scoring.batch_size=1"),
        ("detector.attention=[8, 16]", "scoring.batch_size=2"),
        ("detector.attention=[16]", "scoring.batch_size=1"),
        ("detector.attention=[16]", "scoring.batch_size=2"),
    ]
    assert found[0][1] == {"detector": {"attention": [8, 16]}, "scoring": {"batch_size": 1}}
    assert variants([]) == [((), {})]
    with pytest.raises(UserError, match="key=value,value wanted"):
        variants(["scoring.batch_size=[1"])


def test_a_busy_machine_is_told(monkeypatch):
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (30.0, 0, 0))
    about = machine.machine(torch.device("cpu"))
    quiet = dict.fromkeys(("scoring", "training", "scoring_reference", "training_reference"))
    one = {
        "method": "m",
        "preset": "p",
        "settings": [],
        "machine": about,
        "clock": "passed",
        **quiet,
    }
    assert "The machine was busy" in speed_rows.notes([one])[0]
    (told,) = speed_rows.notes([{**one, "clock": "computed"}])
    assert "one thread computed" in told
    assert machine.resident_mb(torch.device("cpu")) > 10


def test_what_was_measured_is_kept_for_the_time_left(cli, tmp_path, monkeypatch):
    made = {"method": "dae", "preset": "quick", "settings": [], "steps": 100}
    pace = {"seconds": 2.0, "measured": "", "above_mb": 1.0}
    about = {"kind": "cpu", "device": "a", "threads": 1, "load": 0.0, "torch": "2"}
    rest = {
        "grid": [16, 16, 155],
        "clock": "passed",
        "calls": 1.0,
        "batch": {"training": 2},
        "learning_seconds": None,
        "scoring_reference": None,
        "training_reference": None,
    }
    found = {**made, "scoring": pace, "training": pace, "machine": about, **rest}
    monkeypatch.setattr(measure.Measurer, "measured", lambda self: found)
    assert cli("speed -m dae --preset quick").code == 0
    assert "| 2 | 1 | 1, 1 | a, 1 thread, torch 2 |" in cli("speed -m dae --preset quick").out
    from andi_bench.workspace import Workspace
    from benchmark.run.time_left import Planned, TimeLeft, speeds_of

    speeds = speeds_of(Workspace.default(), "cpu")
    left = TimeLeft([Planned("dae", "one", 0)], [], "quick", speeds=speeds)
    assert left.in_words() == "1 run left, more than 3.33 min"
