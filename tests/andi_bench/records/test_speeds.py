"""What ``speed`` measured is kept, one file a method, preset, settings and device."""

from andi_bench.records.speeds import KeptSpeed, keep_speed, kept_speeds


def measurement(**more):
    return {
        "method": "m",
        "preset": "quick",
        "settings": [],
        "scoring": {"seconds": 3.0},
        "training": {"seconds": 0.5},
        "steps": 100,
        "machine": {"device": "a", "kind": "cpu", "threads": 2, "load": 0.1},
        **more,
    }


def test_a_new_measurement_takes_the_place_of_the_last_one(tmp_path):
    keep_speed(tmp_path, measurement())
    later = {"device": "a", "kind": "cpu", "threads": 2, "load": 0.9}
    keep_speed(tmp_path, measurement(scoring={"seconds": 4.0}, machine=later))
    assert kept_speeds(tmp_path, "cpu") == [KeptSpeed("m", "quick", 4.0, 50.0)]
    assert kept_speeds(tmp_path, "cuda") == []
    assert kept_speeds(tmp_path / "nowhere", "cpu") == []


def test_only_presets_as_they_stand_tell_and_what_is_damaged_tells_nothing(tmp_path):
    keep_speed(tmp_path, measurement(settings=["scoring.batch_size=1"]))
    (tmp_path / "damaged.json").write_text("{")
    (tmp_path / "other.json").write_text("[1]")
    assert kept_speeds(tmp_path, "cpu") == []
    keep_speed(tmp_path, measurement(steps=None, scoring=None))
    assert kept_speeds(tmp_path, "cpu") == [KeptSpeed("m", "quick", None, None)]
