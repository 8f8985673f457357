"""Normalisation and bias field as a user asks for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

RUN = "run --dataset folder --preset quick --set preprocessing.size=16 --alone --json"


def record(answer) -> dict:
    assert answer.code == 0, answer.err
    (folder,) = [Path(one["record"]) for one in json.loads(answer.out).values()]
    return json.loads((folder / "record.json").read_text())


@pytest.mark.parametrize("way", ["p99", "robust", "landmarks", "white-matter"])
def test_a_method_that_learns_and_one_that_does_not_are_normalised_alike(
    cli, scans: Path, way: str
) -> None:
    found = [
        record(
            cli(
                f"{RUN} --method {method} --set preprocessing.normalisation={way}",
                "--data-root",
                scans,
                "--splits",
                scans / "splits",
            )
        )
        for method in ("thresholding", "voxel-statistics")
    ]
    first, second = (one["config"]["preprocessing"] for one in found)
    assert first == second
    assert first["normalisation"] == way
    assert (first["landmarks"] is not None) == (way == "landmarks")


def test_runs_of_two_normalisations_stand_in_two_tables(cli, scans: Path) -> None:
    for way in ("p99", "robust"):
        answer = cli(
            f"{RUN} --method thresholding --set preprocessing.normalisation={way}",
            "--data-root",
            scans,
            "--splits",
            scans / "splits",
        )
        assert answer.code == 0, answer.err
    tables = json.loads(cli("compare --json").out)
    text = json.dumps(tables)
    assert "bias field and normalisation" in text
