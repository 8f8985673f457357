"""The autoencoder baselines, from scans to a record, through the command line."""

import pytest
from support.small_scans import SMALL

from andi_bench.records.search import find_records


@pytest.mark.parametrize(
    ("method", "options", "calls"),
    [
        ("dae", ["base_width=8"], 1),
        ("ae", ["base_width=8"], 1),
        ("vae", ["base_width=8", "restoration=true", "restoration_steps=3"], 3),
    ],
)
def test_each_runs_from_scans_to_a_record(cli, scans, tmp_path, method, options, calls):
    pairs = zip(SMALL[::2], SMALL[1::2], strict=True)
    short = [text for pair in pairs if "detector." not in pair[1] for text in pair]
    sets = [s for option in options for s in ("--set", f"detector.{option}")]
    answer = cli(
        f"run --method {method} --alone --dataset folder --data-root {scans}", *short, *sets
    )
    assert answer.code == 0, answer.err
    (record,) = find_records(tmp_path / "workspace" / "records").records
    assert record.run.method == method
    assert record.costs.network_calls_per_slice == calls
    assert record.costs.training_steps == 8
    assert {guard.passed for guard in record.guards} == {True}
    assert 0 <= record.summary["raw"].subjects["ap"].mean <= 1
