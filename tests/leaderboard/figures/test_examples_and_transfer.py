"""The figure of three subjects follows its rule; the one across data sets shows every training's Dice."""

import numpy as np
import pytest
from support.small_previews import leave_previews

from andi_bench.metrics.points import RANKING
from leaderboard.compare import compare
from leaderboard.figures import crossed_links, write_figures
from leaderboard.figures.direct_labels import label_points
from leaderboard.figures.examples import best_median_worst, says
from leaderboard.figures.scene import Scene
from leaderboard.figures.style import Looks, captioned, panels, styled
from leaderboard.figures.transfer import trained_and_tested


@pytest.fixture(autouse=True)
def _styled():
    with styled():
        yield


def scene_of(comparison):
    (table,) = comparison.tables
    return Scene(
        table, comparison.statistics_of(table), Looks(sorted({row.label for row in table.rows}))
    )


def test_subjects_are_the_best_the_median_and_the_worst_of_those_all_have_previews_of(
    make_run, records_dir
):
    first = make_run("a", {"raw": [0.9, 0.2, 0.5, 0.4]}, protocol={"chains": ("raw",)})
    second = make_run("b", {"raw": [0.7, 0.1, 0.4, 0.5]}, protocol={"chains": ("raw",)})
    names = sorted(scene_of(compare(records_dir)).rows[0].values[RANKING])
    assert best_median_worst(scene_of(compare(records_dir))) is None  # no previews
    leave_previews(first, names, 1.0)
    leave_previews(second, names[:3], 1.0)
    scene = scene_of(compare(records_dir))
    means = {name: np.mean([row.values[RANKING][name] for row in scene.rows]) for name in names[:3]}
    order = sorted(means, key=lambda name: -means[name])
    figure = best_median_worst(scene)
    labels = [axis.get_ylabel() for axis in figure.axes if axis.get_ylabel()]
    assert labels == [
        f"{word}\n{name}" for word, name in zip(("highest", "median", "lowest"), order, strict=True)
    ]
    assert f"of the {len(means)} subjects" in says(scene)


def test_a_training_is_a_line_and_a_data_set_a_column(make_run, records_dir, tmp_path, monkeypatch):
    for dataset, dice in (("one", 0.4), ("two", 0.3)):
        make_run("a", dice, dataset=dataset)
        make_run("b", dice / 2, dataset=dataset)
    comparison = compare(records_dir)
    (crossed,) = comparison.crossed
    (axis,) = trained_and_tested(crossed).axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["one", "two"]
    assert [text.get_text()[:5] for text in axis.texts] == ["0.400", "0.300", "0.200", "0.150"]
    monkeypatch.setattr("leaderboard.figures.gallery.FIGURES", {})
    written = write_figures(comparison, tmp_path, kinds=("svg",))
    ((caption, file),) = crossed_links(comparison, written, tmp_path / "page.md")
    assert file == "across-data-sets.svg"
    assert "2 methods" in caption


def test_trainings_that_were_measured_on_one_data_set_alone_are_not_drawn(make_run, records_dir):
    make_run("a", 0.4, dataset="one")
    make_run("a", None, dataset="two", unranked="not measured")
    drawn = [trained_and_tested(crossed) for crossed in compare(records_dir).crossed]
    assert [figure for figure in drawn if figure is not None] == []


def test_names_cover_neither_points_nor_each_other():
    figure, (axis,) = panels(1, 2.5)
    points = [(1.0, 0.5), (1.1, 0.5), (1.2, 0.52), (8.0, 0.5)]
    axis.plot(*zip(*points, strict=True), "o")
    axis.set(xlim=(0, 10), ylim=(0, 1))
    label_points(axis, points, ["first one", "second one", "third one", "fourth one"], ["k"] * 4)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axis.texts if text.get_text()]
    marks = axis.transData.transform(points)
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[k + 1 :])
        assert not any(box.contains(*mark) for mark in marks)


def test_a_caption_takes_no_room_of_the_panels():
    figure, (axis,) = panels(1, 2.0)
    axis.plot([0, 1], [0, 1], label="line")
    figure.draw_without_rendering()
    before = axis.get_window_extent().height
    captioned(figure, "Title", "word " * 80)
    figure.draw_without_rendering()
    assert axis.get_window_extent().height == pytest.approx(before, abs=6)
    title, caption = figure.texts
    assert not title.get_window_extent().overlaps(axis.get_window_extent())
    assert not caption.get_window_extent().overlaps(axis.get_tightbbox())
