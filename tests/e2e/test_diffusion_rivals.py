"""AnoDDPM and AutoDDPM from scans to records, through the command line."""

import json

from support.small_scans import SMALL

from andi_bench.records.search import find_records

OPTIONS = tuple(word for word in SMALL if word != "detector.stride=25")
OPTIONS = tuple(
    word
    for k, word in enumerate(OPTIONS)
    if word != "--set" or (k + 1 < len(OPTIONS) and OPTIONS[k + 1] != "--set")
)
CHAIN = ("--set", "detector.training_t_high=150", "--set", "detector.training_noise=gaussian")


def run(cli, scans, method, *more):
    return cli(
        f"run --method {method} --alone --dataset folder --data-root {scans}",
        *[*OPTIONS, *CHAIN, *more],
    )


def test_autoddpm_calibrates_its_mask_on_validation_data_and_shares_the_training(
    cli, scans, tmp_path
):
    first = run(
        cli, scans, "anoddpm", "--set", "detector.noise_steps=30", "--set", "detector.stride=10"
    )
    assert first.code == 0, first.err
    short = [
        "--set",
        "detector.noise_steps=30",
        "--set",
        "detector.inpainting_steps=20",
        "--set",
        "detector.resampling=2",
        "--set",
        "detector.stride=10",
    ]
    second = run(cli, scans, "autoddpm", *short)
    assert second.code == 0, second.err
    assert "calibrating autoddpm on 2 validation subjects" in second.err
    assert len(list((tmp_path / "workspace" / "trainings").glob("ddpm__*"))) == 1

    found = find_records(tmp_path / "workspace" / "records")
    assert not found.skipped
    records = {record.run.method: record for record in found.records}
    record = records["autoddpm"]
    assert record.run.label == "autoddpm (ms-ssim)"
    threshold = record.method.calibration["mask_threshold"]
    assert 0 < threshold <= 1
    # (30 - 1) .. 9 in tens: 3 calls; 19: two passes, 9: one
    assert record.costs.network_calls_per_slice == 3 + 2 + 1
    assert records["anoddpm"].costs.network_calls_per_slice == 3
    assert records["anoddpm"].method.calibration == {}

    fixed = run(cli, scans, "autoddpm", *short, "--set", f"detector.mask_threshold={threshold}")
    assert fixed.code == 0, fixed.err
    assert "calibrating autoddpm" not in fixed.err
    again = {
        record.run.maps: record.summary["raw"].subjects["ap"].mean
        for record in find_records(tmp_path / "workspace" / "records").records
        if record.run.method == "autoddpm"
    }
    assert len(again) == 2  # two configurations, equal maps
    assert len(set(again.values())) == 1


def test_a_damaged_calibration_is_named(cli, scans, tmp_path):
    short = [
        "--set",
        "detector.noise_steps=20",
        "--set",
        "detector.inpainting_steps=20",
        "--set",
        "detector.stride=10",
    ]
    assert run(cli, scans, "autoddpm", *short).code == 0
    (path,) = (tmp_path / "workspace" / "maps").glob("autoddpm__*/calibration.json")
    assert set(json.loads(path.read_text())) == {"mask_threshold"}
    path.write_text("{")
    answer = run(cli, scans, "autoddpm", *short, "--set", "evaluation.bootstraps=20")
    assert answer.code == 2
    assert "calibration.json" in answer.err
