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


PLUGIN = """
from methods.base import DetectorConfig, Field, SliceDetector, register


@register("with-yaml")
class WithYaml(SliceDetector):
    class Config(DetectorConfig):
        radius: int = Field(1, description="of what")

    def score_slices(self, batch, generator):
        return batch
"""

BESIDE = """
title: Told beside
year: 2026
presets:
  paper: {detector: {radius: 4}}
  quick: {detector: {radius: 2}}
"""


def with_yaml(tmp_path, text):
    (tmp_path / "with_yaml.py").write_text(PLUGIN)
    (tmp_path / "with_yaml.yaml").write_text(text)
    return tmp_path / "with_yaml.py"


def test_the_yaml_beside_a_plug_in_has_what_a_file_of_configs_methods_has(cli, tmp_path):
    plugin = with_yaml(tmp_path, BESIDE)
    rows = json.loads(cli("methods", "--plugin", plugin, "-m", "with-yaml", "--json").out)
    assert [(row["paper"], row["quick"]) for row in rows] == [(4, 2)]
    rows = {
        row["method"]: row for row in json.loads(cli("methods", "--plugin", plugin, "--json").out)
    }
    assert (rows["with-yaml"]["title"], rows["with-yaml"]["year"]) == ("Told beside", 2026)


def test_settings_beside_a_plug_in_hold_for_every_preset(cli, tmp_path):
    plugin = with_yaml(tmp_path, BESIDE + "detector: {radius: 7}\n")
    rows = json.loads(cli("methods", "--plugin", plugin, "-m", "with-yaml", "--json").out)
    assert [(row["paper"], row["quick"]) for row in rows] == [(7, 7)]


def test_a_misspelt_key_beside_a_plug_in_is_named(cli, tmp_path):
    plugin = with_yaml(tmp_path, "presetz: {}")
    answer = cli("methods", "--plugin", plugin, "-m", "with-yaml")
    assert answer.code == 2
    assert "with_yaml.yaml" in answer.err
    assert "did you mean 'presets'" in answer.err
