"""What a job may use, and times as people write them."""

import pytest

from andi_bench.config import method_entry, names_in
from andi_bench.console import read_duration
from andi_bench.errors import UserError
from andi_bench.section import Resources


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("30m", 1800), ("90s", 90), ("1h30m", 5400), ("1.5m", 90), ("2d", 172_800)],
)
def test_times_are_read(text, seconds):
    assert read_duration(text, "--time") == seconds


@pytest.mark.parametrize("text", ["2", "h", "2 h", "-1h", "0s", "", "2hours"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UserError, match="such as 2h, 30m"):
        read_duration(text, "--time")


def test_what_is_said_overrules_what_a_method_says():
    own = Resources(gpus=0, memory="4G")
    said = own.overruled(memory="32G", cpus=None, time="90m")
    assert (said.gpus, said.cpus, said.memory, said.seconds) == (0, None, "32G", 5400)


@pytest.mark.parametrize("wrong", [{"memory": "16"}, {"time": "soon"}, {"cpus": 0}, {"gpus": -1}])
def test_what_no_cluster_understands_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Resources(**wrong)


def test_what_options_say_is_checked_and_named():
    assert Resources.of_options({"memory": "2G", "cpus": None}).memory == "2G"
    with pytest.raises(UserError, match=r"--memory much: such as 16G or 500M wanted"):
        Resources.of_options({"memory": "much"})
    with pytest.raises(UserError, match="--time soon"):
        Resources.of_options({"time": "soon"})


def test_simple_methods_ask_for_less_time_than_others():
    cheap = {name for name in names_in("methods") if method_entry(name).resources.seconds <= 14_400}
    assert cheap >= {"thresholding", "voxel-statistics", "random"}
    assert not cheap & {"andi", "dae", "anoddpm"}
