"""The evaluation of scored subjects: several processes, exact counts, sub-groups, and what histograms alone give back."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from andi_bench.config import EvaluationConfig
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.pooled import pooled_auroc, pooled_average_precision
from andi_bench.metrics.thresholds import best_dice
from andi_bench.metrics.uncertainty import bootstrap_pooled
from benchmark.evaluation import aggregates as summaries
from benchmark.evaluation.protocol import evaluate
from benchmark.evaluation.subgroups import lesion_sizes, partition
from benchmark.scoring.map_store import ScoredSubject

VAL = [f"v{k}" for k in range(3)]
TEST = [f"t{k}" for k in range(9)]
CONFIG = EvaluationConfig(median=3, bootstraps=40)


def subject(name: str) -> ScoredSubject:
    """Make a scored subject, a function of its name alone; importable by worker processes."""
    number = int(name[1:])
    rng = np.random.default_rng([ord(name[0]), number])
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in (24, 22, 12)], indexing="ij")
    brain = sum(axis**2 for axis in axes) < 0.9
    radius = 0.2 + 0.05 * number
    lesion = (sum((axis - 0.2) ** 2 for axis in axes) < radius**2) & brain & (number != 8)
    scores = (rng.gamma(2, size=brain.shape) + 2 * lesion).astype(np.float32) * brain
    if number == 1:
        scores = np.round(scores, 1)
    return ScoredSubject(
        name,
        scores,
        brain,
        lesion,
        (4.0, 4.0, 5.0),
        "AB"[number > 5],
        {"age": str(20 + 7 * number), "sex": "" if number == 3 else "MF"[number % 2], "dice": "x"},
        {"seconds": 1.0, "network_calls": 0, "slices": 12, "peak_memory_mb": 1.0},
    )


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(subject, VAL, TEST, CONFIG, workers=1)


def test_a_median_in_millimetres_is_that_of_its_voxels_on_this_grid(evaluation) -> None:
    in_mm = evaluate(
        subject, VAL, TEST, CONFIG.model_copy(update={"median": (12.0, 11.0, 15.0)}), workers=1
    )
    assert [chain.name for chain in in_mm.chains] == ["raw", "median12x11x15mm"]
    assert in_mm.summary["median12x11x15mm"] == evaluation.summary["median3"]
    assert in_mm.chains[1].window(in_mm.spacing) == (3, 3, 3)


def test_two_processes_measure_as_one_does(evaluation) -> None:
    other = evaluate(subject, VAL, TEST, CONFIG, workers=2)
    pd.testing.assert_frame_equal(evaluation.subjects, other.subjects)
    assert evaluation.summary == other.summary
    assert evaluation.operating_points == other.operating_points
    assert evaluation.groups == other.groups
    assert list(evaluation.histograms) == list(other.histograms)
    assert all(
        np.array_equal(evaluation.histograms[k], other.histograms[k]) for k in other.histograms
    )


def test_the_order_of_the_subjects_changes_no_figure(evaluation) -> None:
    other = evaluate(subject, VAL[::-1], TEST[::-1], CONFIG, workers=1)
    pd.testing.assert_frame_equal(evaluation.subjects, other.subjects, check_exact=False)
    for chain, found in evaluation.summary.items():
        assert other.summary[chain].pooled.ap == pytest.approx(found.pooled.ap, abs=1e-12)


def test_histograms_alone_give_back_thresholds_pooled_figures_and_intervals(evaluation) -> None:
    arrays = {name: evaluation.histograms[name] for name in evaluation.histograms}

    def kept(split, names):
        out = []
        for name in names:
            start = f"{split}/raw/{name}/"
            own = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
            out.append(ScoreHistogram.from_arrays(own))
        return out

    tested = kept("test", TEST)
    pooled = evaluation.summary["raw"].pooled
    merged = ScoreHistogram.merge(tested)
    assert pooled_average_precision(merged).value == pooled.ap
    assert pooled_auroc(merged).value == pooled.auroc
    frozen = evaluation.operating_points["raw"]["val-dice"].threshold
    assert best_dice(kept("val", VAL)).threshold == frozen
    again = bootstrap_pooled(tested, CONFIG.bootstraps)
    assert (again["ap"].low, again["ap"].high) == (pooled.ap_low, pooled.ap_high)
    assert pooled.auroc_low < pooled.auroc < pooled.auroc_high


def concatenated(names):
    made = [subject(name) for name in names]
    return (
        np.concatenate([s.lesion[s.brain] for s in made]),
        np.concatenate([s.map[s.brain] for s in made]),
    )


def test_exact_counting_equals_sklearn_and_says_so() -> None:
    found = evaluate(subject, VAL, TEST, CONFIG.model_copy(update={"exact": True}), workers=1)
    lesion, scores = concatenated(TEST)
    pooled = found.summary["raw"].pooled
    assert pooled.exact
    assert (pooled.ap_error, pooled.auroc_error) == (0, 0)
    assert pooled.ap == pytest.approx(average_precision_score(lesion, scores), abs=1e-12)
    assert pooled.auroc == pytest.approx(roc_auc_score(lesion, scores), abs=1e-12)


def test_a_bound_that_is_too_wide_is_replaced_by_exact_counts(monkeypatch) -> None:
    monkeypatch.setattr(summaries, "LARGEST_ERROR", -1.0)
    found = evaluate(subject, VAL, TEST, CONFIG, workers=1)
    lesion, scores = concatenated(TEST)
    pooled = found.summary["raw"].pooled
    assert pooled.exact
    assert pooled.ap == pytest.approx(average_precision_score(lesion, scores), abs=1e-12)


def test_sub_groups_are_the_figures_of_their_subjects_alone(evaluation) -> None:
    assert set(evaluation.groups) == {"site", "age", "sex", "lesion-size"}
    site = {group.name: group for group in evaluation.groups["site"]}
    assert site["A"].subjects == ("t0", "t1", "t2", "t3", "t4", "t5")
    lesion, scores = concatenated(site["A"].subjects)
    raw = site["A"].results["raw"]
    assert raw.pooled.ap == pytest.approx(average_precision_score(lesion, scores), abs=1e-4)
    assert raw.pooled.ap_low < raw.pooled.ap < raw.pooled.ap_high
    lines = evaluation.subjects.query("chain == 'raw' and point == 'val-dice' and site == 'A'")
    assert raw.subjects["dice@val-dice"].mean == pytest.approx(lines["dice"].mean())
    assert (raw.subjects["ap"].n, raw.subjects["ap"].undefined) == (6, 0)


def test_numbers_make_quartiles_words_make_words_and_empty_cells_a_group(evaluation) -> None:
    names = [group.name for group in evaluation.groups["age"]]
    assert names == [
        "Q1 (20 to 34)",
        "Q2 (41 to 48)",
        "Q3 (55 to 62)",
        "Q4 (69 to 76)",
    ]
    assert [group.name for group in evaluation.groups["sex"]] == ["F", "M", "not known"]
    sizes = evaluation.groups["lesion-size"]
    assert sizes[0].name == "no lesion"
    assert sizes[0].subjects == ("t8",)
    assert [len(group.subjects) for group in sizes[1:]] == [2, 2, 2, 2]


def test_groups_of_fewer_than_five_have_no_figures(evaluation) -> None:
    for group in [*evaluation.groups["lesion-size"], *evaluation.groups["site"][1:]]:
        assert len(group.subjects) < 5
        assert group.results == {}


def test_a_figure_that_fewer_than_five_of_a_group_have_has_no_value(evaluation) -> None:
    (men,) = (group for group in evaluation.groups["sex"] if group.name == "M")
    assert men.subjects == ("t0", "t2", "t4", "t6", "t8")  # t8 has no lesion
    raw = men.results["raw"]
    assert raw.pooled.ap is None
    for key in ("ap", "dice@val-dice"):
        found = raw.subjects[key]
        assert (found.n, found.mean, found.low, found.median) == (4, None, None, None)


def test_a_column_that_shares_a_figures_name_does_not_hide_it(evaluation) -> None:
    assert "dice (split)" in evaluation.subjects.columns
    assert evaluation.subjects["dice"].dtype == float


def test_a_column_named_as_the_records_own_columns_are_is_kept_under_another_name() -> None:
    def named(name: str) -> ScoredSubject:
        cells = {"grid": name, "dice": "x", "dice (split)": "y"}
        return dataclasses.replace(subject(name), attributes=cells)

    table = evaluate(named, VAL, TEST, CONFIG, workers=1).subjects
    assert "grid" not in table.columns
    assert table["grid (split)"].tolist() == table["subject"].tolist()
    assert set(table["dice (split)"]) == {"x"}
    assert set(table["dice (split) (split)"]) == {"y"}


def test_no_subject_is_lost_where_a_cell_says_not_known_and_another_is_empty() -> None:
    groups = partition({"a": "x", "b": "not known", "c": ""})
    assert groups == {"not known": ["b", "c"], "x": ["a"]}


def test_the_oracle_is_post_processed_as_every_operating_point_is() -> None:
    config = CONFIG.model_copy(update={"min_component_ml": 0.5, "median": 1})
    found = evaluate(subject, VAL, TEST, config, workers=1)
    (chain,) = found.operating_points
    threshold = found.operating_points[chain]["oracle"].threshold
    lines = found.subjects.query("point == 'oracle'").set_index("subject")
    for name in TEST:
        one = subject(name)
        detection = (one.map > np.float32(threshold)) & one.brain
        labels, count = ndimage.label(detection, np.ones((3, 3, 3)))
        sizes = ndimage.sum_labels(detection, labels, range(1, count + 1)) * 0.08
        detection = np.isin(labels, 1 + np.flatnonzero(sizes >= 0.5 - 1e-9))
        both = detection.sum() + one.lesion.sum()
        dice = 2 * (detection & one.lesion).sum() / both if one.lesion.any() else np.nan
        assert lines.loc[name, "dice"] == pytest.approx(dice, nan_ok=True)


def test_frozen_rates_are_counted_exactly_on_the_test_subjects(evaluation) -> None:
    lesion, scores = concatenated(TEST)
    for name in ("val-dice", "val-fpr1", "val-fpr5", "oracle"):
        point = evaluation.operating_points["raw"][name]
        share = (scores[~lesion] > np.float32(point.threshold)).mean()
        assert point.test_fpr == pytest.approx(share, abs=1e-12)


def scaled(name: str) -> ScoredSubject:
    """Make a subject with scores of its own scale: one spread wide, all others within a bin of it."""
    rng = np.random.default_rng([ord(name[0]), int(name[1:])])
    shape = (32, 32, 24)
    lesion = rng.random(shape) < 0.05
    wide = name[1:] == "0"
    scores = rng.normal(size=shape) + 2 * lesion
    scores = np.exp(2 * scores) if wide else 1.7 + 1e-5 * scores
    return ScoredSubject(
        name, scores.astype(np.float32), np.ones(shape, bool), lesion, (2.0, 2.0, 2.0)
    )


def test_subjects_on_different_scales_get_the_optimum_over_all_their_scores() -> None:
    config = CONFIG.model_copy(update={"median": 1})
    for workers in (1, 2):
        found = evaluate(scaled, VAL, TEST[:3], config, workers=workers)
        for point, names in (("val-dice", VAL), ("oracle", TEST[:3])):
            made = [scaled(name) for name in names]
            candidates = np.unique(made[1].map)[::60]
            best = max(mean_dice(made, threshold) for threshold in candidates)
            threshold = found.operating_points["raw"][point].threshold
            assert mean_dice(made, threshold) >= best - 5e-4
        lines = found.subjects.query("point == 'oracle'")
        assert lines["dice"].mean() == pytest.approx(mean_dice(made, threshold), abs=1e-12)


def mean_dice(subjects, threshold) -> float:
    out = []
    for one in subjects:
        detection = one.map[one.brain] > np.float32(threshold)
        lesion = one.lesion[one.brain]
        out.append(2 * (detection & lesion).sum() / (detection.sum() + lesion.sum()))
    return float(np.mean(out))


def test_a_column_of_ever_new_words_makes_no_groups() -> None:
    assert partition({f"s{k}": f"name {k}" for k in range(40)}) is None
    assert partition({"a": "x", "b": "x"}) is None
    assert partition({"a": "2", "b": "10", "c": "2"}) == {"2": ["a", "c"], "10": ["b"]}
    assert lesion_sizes({"a": 0.0, "b": 0.0}) is None


def test_ages_by_quartile_are_numpys() -> None:
    rng = np.random.default_rng(3)
    ages = {f"s{k}": str(round(value)) for k, value in enumerate(rng.uniform(18, 90, 50))}
    groups = partition(ages)
    cuts = np.quantile([float(age) for age in ages.values()], [0.25, 0.5, 0.75])
    for index, members in enumerate(groups.values()):
        for name in members:
            age = float(ages[name])
            assert index == 0 or age > cuts[index - 1]
            assert index == 3 or age <= cuts[index]
