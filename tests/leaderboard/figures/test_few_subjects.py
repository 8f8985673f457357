"""Of few subjects nothing is drawn or promised that they cannot tell: no box, no interval, no share of ranks."""

from __future__ import annotations

import pytest

from andi_bench.metrics.points import RANKING
from leaderboard.compare import compare
from leaderboard.figures import write_figures
from leaderboard.figures.gallery import FIGURES
from leaderboard.figures.ranks import groups_diagram, rank_frequencies
from leaderboard.figures.rows import cost_and_accuracy
from leaderboard.figures.scene import Scene, looks_of
from leaderboard.figures.style import styled
from leaderboard.figures.subjects import strip_and_box
from leaderboard.words.differences import rank_cells

VALUES = [0.31, 0.62, 0.44, 0.55, 0.48, 0.37, 0.59]


@pytest.fixture
def scene_of(make_run, records_dir):
    """Return the scene of so many subjects with two methods, of as many seeds as asked for."""

    def make(subjects: int, seeds: tuple[int, int] = (1, 1)) -> Scene:
        for method, (count, shift) in enumerate(zip(seeds, (0.0, 0.2), strict=True)):
            for seed in range(count):
                values = [
                    round(value + shift + 0.02 * seed * (-1) ** k, 3)
                    for k, value in enumerate(VALUES[:subjects])
                ]
                chains = {"chains": ("raw",)}
                make_run(f"m{method}", {"raw": values}, seed=seed, protocol=chains)
        comparison = compare(records_dir)
        (table,) = comparison.tables
        return Scene(table, comparison.statistics_of(table), looks_of([table]))

    with styled():
        yield make


def boxes(figure) -> int:
    """Count the medians, which are the thick lines."""
    return sum(line.get_linewidth() == 1.4 for line in figure.axes[0].get_lines())


@pytest.mark.parametrize(("subjects", "drawn"), [(2, False), (4, False), (5, True)])
def test_a_box_and_shares_of_ranks_need_five_subjects(scene_of, subjects, drawn):
    scene = scene_of(subjects)
    assert boxes(strip_and_box(scene)) == (2 if drawn else 0)
    assert ("quartiles" in FIGURES["dice-subjects"].caption(scene)) is drawn
    assert (rank_frequencies(scene) is not None) is drawn
    ranks = [line[3] for line in rank_cells(scene.statistics.family)]
    assert ranks == (["1 [1, 1]", "2 [2, 2]"] if drawn else ["1", "2"])


@pytest.mark.parametrize(("subjects", "drawn"), [(2, False), (3, True)])
def test_an_interval_is_promised_only_where_it_is_drawn(scene_of, subjects, drawn):
    scene = scene_of(subjects)
    for name in ("groups", "cost-accuracy", "thresholds"):
        caption = FIGURES[name].caption(scene)
        assert ("with its 95 % interval" in caption) is drawn, name
        assert ("of fewer than 3 subjects there is none" in caption) is not drawn, name
    assert ("95 %" in cost_and_accuracy(scene).axes[0].get_ylabel()) is drawn
    assert all((row.figures[RANKING].low is not None) is drawn for row in scene.rows)


@pytest.mark.parametrize(
    ("seeds", "said", "not_said"),
    [
        ((1, 1), "bootstraps of subjects; ", "seeds; line"),
        ((1, 3), "of a method with one seed it covers other subjects, not other trainings", "each"),
        ((3, 3), "bootstraps of subjects and seeds; ", "not other trainings"),
    ],
)
def test_resampled_ranks_are_called_no_test_and_one_seed_no_other_training(
    scene_of, seeds, said, not_said
):
    caption = FIGURES["rank-blobs"].caption(scene_of(6, seeds))
    assert said in caption
    assert not_said not in caption
    assert "no test" in caption
    assert "letters of the groups" in caption


def test_of_two_subjects_no_figure_of_stable_ranks_is_written(scene_of, records_dir, tmp_path):
    scene_of(2)
    written = {path.name for path in write_figures(compare(records_dir), tmp_path, kinds=("svg",))}
    assert "phantom-groups.svg" in written
    assert "phantom-rank-blobs.svg" not in written


def test_means_are_drawn_from_0_on(scene_of):
    axis, _ = groups_diagram(scene_of(7)).axes
    assert axis.get_xlim()[0] == 0
