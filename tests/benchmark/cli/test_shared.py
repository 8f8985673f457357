"""What commands share: which layer of configuration wins, and how rows are printed."""

from __future__ import annotations

import json

from andi_bench.config import merge
from benchmark.cli.shared.asked import Plugins, chosen_methods, layers
from benchmark.cli.shared.printed_rows import print_rows


def test_an_assignment_wins_over_the_file_and_an_option_of_its_own_over_both(tmp_path):
    config = tmp_path / "own.yaml"
    config.write_text("training: {steps: 5, batch_size: 2}\nevaluation: {grid: working}\n")
    found = layers(
        assignments=["training.steps=7", "evaluation.grid=working"], config=config, grid="native"
    )
    assert merge(*found) == {
        "training": {"steps": 7, "batch_size": 2},
        "evaluation": {"grid": "native"},
    }


def test_methods_are_those_named_else_the_plug_ins_else_andi():
    plugins = Plugins(methods=("own",))
    assert chosen_methods(["ae", "ae", "vae"], plugins) == ("ae", "vae")
    assert chosen_methods(None, plugins) == ("own",)
    assert chosen_methods(None, Plugins()) == ("andi",)


def test_a_column_that_is_empty_in_every_row_is_in_json_alone(capsys):
    rows = [{"method": "a", "note": "", "year": 2020}, {"method": "b", "note": "", "year": 2021}]
    print_rows("Methods", rows, as_json=True)
    assert json.loads(capsys.readouterr().out) == rows
    print_rows("Methods", rows, as_json=False)
    shown = capsys.readouterr().out
    assert "2021" in shown
    assert "note" not in shown
