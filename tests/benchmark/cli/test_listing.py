"""What ``methods`` prints."""

import json

from andi_bench.config import names_in


def test_every_method_stands_in_the_list_with_its_paper(cli):
    rows = {row["method"]: row for row in json.loads(cli("methods", "--json").out)}
    assert set(rows) == set(names_in("methods"))
    assert "Wyatt" in rows["anoddpm"]["paper"]
    shown = cli("methods").out
    assert "Wyatt et al. 2022" in shown
    assert max(len(line) for line in shown.splitlines()) <= 100


def test_the_options_of_a_method_are_listed_with_both_presets(cli):
    rows = {r["option"]: r for r in json.loads(cli("methods", "-m", "anoddpm", "--json").out)}
    steps = rows["detector.noise_steps"]
    assert (steps["paper"], steps["quick"], steps["affects"]) == (250, 100, "scoring")
    assert rows["detector.training_noise"]["affects"] == "training"
    assert all(row["meaning"] for row in rows.values())
    assert "published_start" in cli("methods", "--method", "anoddpm").out


def test_an_unknown_method_is_one_line(cli):
    answer = cli("methods", "--method", "anodpm")
    assert answer.code == 2
    assert "did you mean 'anoddpm'" in answer.err
