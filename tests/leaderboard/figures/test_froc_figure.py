"""The FROC figure draws the records' curves, and nothing of records that have none."""

from support.mixed_records import mixed_record

from andi_bench.metrics.froc import RATES
from leaderboard.compare import compare
from leaderboard.figures.curves import froc
from leaderboard.figures.scene import Scene
from leaderboard.figures.style import Looks, styled


def scene_of(folder):
    comparison = compare(folder)
    (table,) = comparison.tables
    looks = Looks(sorted({row.label for row in table.rows}))
    return Scene(table, comparison.statistics_of(table), looks)


def test_each_method_has_a_line_that_passes_through_the_figures_of_the_table(tmp_path):
    mixed_record(tmp_path, "one", 2.0)
    with styled():
        scene = scene_of(tmp_path)
        figure = froc(scene)
    axis = figure.axes[0]
    (row,) = scene.rows
    (line,) = [found for found in axis.get_lines() if found.get_label() == scene.name("one")]
    paid, found = line.get_data()
    assert (found[1:] >= found[:-1]).all()
    for rate in RATES:
        value = row.figures[f"froc_{rate:g}"].value
        assert found[paid <= rate].max() <= value + 1e-5
        assert found[paid >= rate].min() >= value - 1e-5


def test_records_without_a_curve_draw_nothing(make_run, records_dir):
    make_run("older", 0.5)
    assert froc(scene_of(records_dir)) is None
