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
from leaderboard.figures.ranks import (
    groups_diagram,
    rank_frequencies,
    significance_matrix,
)
from leaderboard.figures.rows import chains_compared, cost_and_accuracy, threshold_gap
from leaderboard.figures.scene import Scene
from leaderboard.figures.style import Looks, styled
from leaderboard.figures.subjects import by_lesion_size, strip_and_box
from leaderboard.statistics.family import TableStatistics

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


def panels_of(figure):
    return [axis for axis in figure.axes if axis.get_title()]


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
    assert (alone.name("method A"), alone.shows) == ("method A", "raw maps")


def test_curves_fall_from_the_first_hits_to_the_share_of_lesion(scene):
    (axis,) = panels_of(precision_recall(scene))
    lines = named(axis)
    for row in scene.rows:
        recall, precision = lines[scene.name(row.label)].get_data()
        assert recall[-1] == 1
        assert precision[0] > precision[-1]
    assert lines["chance"].get_ydata()[0] == scene.rows[0].figures["prevalence"].value


def test_every_subject_is_a_point(scene):
    metric = compared.tested_metric(scene.table.metric)
    (axis,) = panels_of(strip_and_box(scene))
    clouds = [c.get_offsets() for c in axis.collections if len(c.get_offsets()) > 1]
    for cloud, row in zip(clouds, scene.rows, strict=True):
        assert sorted(cloud[:, 0]) == pytest.approx(sorted(row.values[metric].values()))


def test_lesion_sizes_are_in_the_order_of_the_groups(scene):
    axis = panels_of(by_lesion_size(scene))[0]
    ticks = [label.get_text() for label in axis.get_xticklabels()]
    assert len(ticks) == 4
    assert all("n = " in tick for tick in ticks)
    counts = [int(tick.rpartition("= ")[2].partition(":")[0]) for tick in ticks]
    assert sum(counts) == SUBJECTS - SUBJECTS // 9  # every ninth has no lesion
    drawn = {round(x) for line in axis.get_lines() for x in line.get_xdata()}
    assert drawn == {place for place, count in enumerate(counts) if count >= 5}
    assert [":" in tick.rpartition("\n")[2] for tick in ticks] == [count < 5 for count in counts]


def test_groups_that_are_all_too_small_are_not_drawn(records):
    (table,) = compare(records).tables
    rows = [replace(row, runs=tuple(map(halved, row.runs))) for row in table.rows]
    small = replace(table, rows=tuple(rows), runs=tuple(map(halved, table.runs)))
    assert by_lesion_size(Scene(small, TableStatistics(), Looks(["a"]))) is None


def halved(run):
    groups = tuple(
        group.model_copy(update={"subjects": group.subjects[:3]})
        for group in run.groups["lesion-size"]
    )
    return run.model_copy(update={"groups": {"lesion-size": groups}})


def test_frozen_threshold_and_upper_bound_are_joined(scene):
    (axis,) = panels_of(threshold_gap(scene))
    marks = [line.get_xdata()[0] for line in axis.get_lines() if len(line.get_xdata()) == 1]
    wanted = []
    for row in scene.rows:
        wanted += [row.upper_bound.value, row.figures[RANKING].value]
    assert marks == pytest.approx(wanted)


def test_the_front_of_cost_and_accuracy_is_beaten_by_nobody_in_both(scene):
    (axis,) = panels_of(cost_and_accuracy(scene))
    x, y = named(axis)["not beaten in both"].get_data()
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) > 0).all()
    for row in scene.rows:
        cost, dice = row.costs["seconds_per_volume"], row.figures[RANKING].value
        assert any(fx <= cost and fy >= dice for fx, fy in zip(x, y, strict=True))


def test_what_a_filter_does_is_a_line_a_method(scene):
    axis = panels_of(chains_compared(scene))[0]
    lines = named(axis)
    for label in {row.label for row in scene.table.rows}:
        values = [
            row.figures[RANKING].value
            for chain in ("raw", "median5")
            for row in scene.table.every
            if (row.label, row.chain) == (label, chain)
        ]
        assert lines[label].get_ydata() == pytest.approx(values)


def test_differences_of_a_pair_are_each_others_opposites(scene):
    family = scene.statistics.family
    (axis,) = panels_of(significance_matrix(scene))
    (image,) = axis.get_images()
    shown = image.get_array()
    assert shown.shape == (3, 3)
    assert np.ma.getmaskarray(np.ma.masked_invalid(shown)).diagonal().all()
    for first, second in itertools.combinations(range(3), 2):
        assert shown[first, second] == pytest.approx(-shown[second, first])
        test = family.test(family.keys[first], family.keys[second])
        assert abs(shown[first, second]) == pytest.approx(abs(test.difference))
    assert len(axis.texts) == 6


def test_shares_of_the_ranks_fill_a_method_s_line(scene):
    figure = rank_frequencies(scene)
    family = scene.statistics.family
    assert len(panels_of(figure)) == 1
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    best = min(range(3), key=lambda k: family.rankings[0].ranks[k])
    assert names[0] == scene.name(family.keys[best][0])


def test_groups_stand_beside_the_names_best_first_with_the_means_of_the_table(scene):
    family = scene.statistics.family
    (axis,) = groups_diagram(scene).axes
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
    written = [tmp_path / "figures" / f"phantom-oracle-gap.{kind}" for kind in ("svg", "png")]
    links = figure_links(comparison, written, tmp_path / "board.md")
    assert links == [[(FIGURES["oracle-gap"].shows, "figures/phantom-oracle-gap.svg")]]
    assert figure_links(comparison, [], tmp_path / "board.md") == [[]]
