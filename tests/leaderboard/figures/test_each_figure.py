"""What each figure draws: the numbers of the tables, and nothing where a table has nothing to show."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from support.synthetic_records import Size, write_benchmark

from andi_bench.metrics import compared
from andi_bench.metrics.points import RANKING
from leaderboard.compare import compare
from leaderboard.figures.curves import precision_recall
from leaderboard.figures.gallery import FIGURES, figure_links
from leaderboard.figures.lesion_size import by_lesion_size
from leaderboard.figures.ranks import (
    groups_diagram,
    rank_frequencies,
    significance_matrix,
)
from leaderboard.figures.rows import chains_compared, cost_and_accuracy
from leaderboard.figures.scene import Scene
from leaderboard.figures.style import Looks, styled
from leaderboard.figures.subjects import strip_and_box
from leaderboard.figures.thresholds import threshold_calibration
from leaderboard.words.main_table import FALSE_ML

SUBJECTS = 21


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    write_benchmark(folder, Size(3, SUBJECTS, 1, 2, 2_000))
    return folder


@pytest.fixture(scope="module")
def scene(records):
    return scene_of(compare(records))


def scene_of(comparison):
    (table,) = comparison.tables
    labels = sorted({row.label for row in table.rows})
    return Scene(table, comparison.statistics_of(table), Looks(labels))


@pytest.fixture(autouse=True)
def _styled():
    with styled():
        yield


def named(axis):
    return {line.get_label(): line for line in axis.get_lines()}


def test_a_scene_has_the_ranked_rows_best_first_and_names_their_pipelines(scene, records):
    ranks = [row.rank for row in scene.rows]
    assert len(ranks) == 3
    assert ranks == sorted(ranks)
    assert {scene.name(row.label) for row in scene.rows} == {
        f"{row.label}, {'raw' if row.chain == 'raw' else 'filtered'}" for row in scene.rows
    }
    alone = scene_of(compare(records, pipeline="raw"))
    assert (alone.name("method A"), alone.maps) == ("method A", "raw maps")


def test_curves_fall_from_the_first_hits_to_the_share_of_lesion(scene):
    (axis,) = precision_recall(scene).axes
    lines = named(axis)
    for row in scene.rows:
        recall, precision = lines[scene.name(row.label)].get_data()
        assert recall[-1] == 1
        assert precision[0] > precision[-1]
    assert lines["chance"].get_ydata()[0] == scene.rows[0].figures["prevalence"].value


def test_every_subject_is_a_point(scene):
    metric = compared.tested_metric(scene.table.metric)
    dice, false = strip_and_box(scene).axes
    for axis, key in ((dice, metric), (false, FALSE_ML)):
        clouds = [c.get_offsets() for c in axis.collections if len(c.get_offsets()) > 1]
        for cloud, row in zip(clouds, scene.rows, strict=True):
            assert sorted(cloud[:, 0]) == pytest.approx(sorted(row.values[key].values()))
            assert row.values[key].keys() == {
                name for name, ml in row.values["lesion_ml"].items() if (ml > 0) is (key == metric)
            }
    assert false.get_xscale() == "symlog"
    assert [label.get_text() for label in false.get_xticklabels()][:3] == ["0", "0.01", "0.1"]


@pytest.mark.parametrize("most", [0.05, 3.0, 2_000.0, 1_000_000.0])
def test_numbers_of_the_axis_of_false_positives_stand_clear_of_each_other(scene, most):
    rows = []
    for row in scene.rows:
        false = {name: most * k / 2 for k, name in enumerate(sorted(row.values[FALSE_ML])[:3])}
        rows.append(replace(row, values={**row.values, FALSE_ML: false}))
    figure = strip_and_box(replace(scene, table=replace(scene.table, rows=tuple(rows))))
    figure.draw_without_rendering()
    axis = figure.axes[1]
    low, high = axis.get_xlim()
    labels = [
        label.get_window_extent()
        for mark, label in zip(axis.get_xticks(), axis.get_xticklabels(), strict=True)
        if low <= mark <= high
    ]
    assert len(labels) > 1
    assert not any(one.overlaps(other) for one, other in itertools.combinations(labels, 2))


def test_subjects_without_a_lesion_have_no_column_where_there_are_none(make_run, records_dir):
    make_run("a", 0.5)
    assert len(strip_and_box(scene_of(compare(records_dir))).axes) == 1


def test_a_method_has_a_panel_in_which_it_alone_has_colour_and_points(scene):
    axes = by_lesion_size(scene).axes
    for axis, row in zip(axes, scene.rows, strict=False):
        assert axis.get_title() == scene.name(row.label)
        cloud, _ = axis.collections
        ill = [name for name, ml in row.values["lesion_ml"].items() if ml > 0]
        assert len(cloud.get_offsets()) == len(ill) == SUBJECTS - SUBJECTS // 9
        colors = [line.get_color() for line in axis.get_lines()]
        assert colors == ["#BBBBBB"] * 2 + [scene.looks.color(row.label)]
        assert axis.get_xscale() == "log"


def test_of_four_subjects_no_dependence_on_volume_is_drawn(records):
    scene = scene_of(compare(records))
    few = {name for name, ml in scene.volumes.items() if ml > 0}
    few = set(sorted(few)[:4])
    rows = [
        replace(
            row,
            values={
                key: {n: v for n, v in found.items() if n in few}
                for key, found in row.values.items()
            },
        )
        for row in scene.rows
    ]
    assert by_lesion_size(replace(scene, table=replace(scene.table, rows=tuple(rows)))) is None


def test_frozen_threshold_and_the_best_one_are_joined_and_rates_stand_where_they_came_out(scene):
    dice, shares, rates = threshold_calibration(scene).axes
    wanted = []
    for row in scene.rows:
        wanted += [row.upper_bound.value, row.figures[RANKING].value]
    assert lone_marks(dice) == pytest.approx(wanted)
    assert lone_marks(shares) == pytest.approx([2.0] * 2 * len(scene.rows))  # as the records say
    assert lone_marks(rates) == pytest.approx([2.0] * 2 * len(scene.rows))
    asked = [line.get_xdata()[0] for line in rates.get_lines() if line.get_linestyle() == ":"]
    assert asked == [1, 5]


def lone_marks(axis):
    return [line.get_xdata()[0] for line in axis.get_lines() if len(line.get_xdata()) == 1]


def test_the_front_of_cost_and_accuracy_is_beaten_by_nobody_in_both(scene):
    (axis,) = cost_and_accuracy(scene).axes
    (front,) = [line for line in axis.get_lines() if line.get_linestyle() == "--"]
    x, y = front.get_data()
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) > 0).all()
    for row in scene.rows:
        cost, dice = row.costs["seconds_per_volume"], row.figures[RANKING].value
        assert any(fx <= cost and fy >= dice for fx, fy in zip(x, y, strict=True))


def test_what_a_filter_does_is_a_line_a_method(scene):
    axis = chains_compared(scene).axes[0]
    lines = named(axis)
    for label in {row.label for row in scene.table.rows}:
        values = [
            row.figures[RANKING].value
            for chain in ("raw", "median5")
            for row in scene.table.every
            if (row.label, row.chain) == (label, chain)
        ]
        assert lines[label].get_ydata() == pytest.approx(values)


def test_only_what_is_significant_has_a_colour_and_pairs_have_opposite_ones(scene):
    family = scene.statistics.family
    (axis,) = significance_matrix(scene).axes
    (image,) = axis.get_images()
    colors = np.asarray(image.get_array())
    assert (colors[np.arange(3), np.arange(3)] == 1).all()
    for first, second in itertools.permutations(range(3), 2):
        test = family.test(family.keys[first], family.keys[second])
        red, _, blue = colors[first, second]
        told = {
            None: red == blue == 1,
            family.keys[first]: blue > red,
            family.keys[second]: red > blue,
        }
        assert told[test.better]
    assert any(test.better is None for test in family.tests)
    assert any(test.better is not None for test in family.tests)
    assert len(axis.texts) == 6


def test_shares_of_the_ranks_fill_a_method_s_line(scene):
    figure = rank_frequencies(scene)
    family = scene.statistics.family
    assert len(figure.axes) == 1
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    best = min(range(3), key=lambda k: family.rankings[0].ranks[k])
    assert names[0] == scene.name(family.keys[best][0])


def test_groups_stand_beside_the_names_best_first_with_the_means_of_the_table(scene):
    family = scene.statistics.family
    axis, _ = groups_diagram(scene).axes
    order = sorted(range(3), key=lambda k: family.rankings[0].ranks[k])
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == [f"{scene.name(family.keys[k][0])}  {family.letters[k]}" for k in order]
    drawn = {x for line in axis.get_lines() for x in np.atleast_1d(line.get_xdata())}
    for row in scene.rows:
        figure = row.figures[RANKING]
        assert {figure.value, figure.low, figure.high} <= drawn


def test_raw_and_filtered_maps_are_compared_whatever_a_table_shows_unless_there_is_one(
    records, make_run, records_dir
):
    for pipeline in ("raw", "filtered"):
        assert chains_compared(scene_of(compare(records, pipeline=pipeline))) is not None
    make_run("a", 0.5, protocol={"chains": ("raw",)})
    assert chains_compared(scene_of(compare(records_dir))) is None


@pytest.mark.parametrize("name", FIGURES)
def test_a_table_without_ranked_rows_has_no_figure(make_run, records_dir, name):
    make_run("a", 0.5, unranked="shown only")
    assert FIGURES[name].draw(scene_of(compare(records_dir))) is None


def test_links_are_seen_from_the_page_and_only_of_what_was_drawn(make_run, records_dir, tmp_path):
    make_run("a", 0.5)
    comparison = compare(records_dir)
    written = [tmp_path / "figures" / f"phantom-thresholds.{kind}" for kind in ("svg", "png")]
    links = figure_links(comparison, written, tmp_path / "board.md")
    ((caption, file),) = links[0]
    assert file == "figures/phantom-thresholds.svg"
    assert caption.startswith(FIGURES["thresholds"].shows)
    assert "phantom title, test: n = 4" in caption
    assert figure_links(comparison, [], tmp_path / "board.md") == [[]]
