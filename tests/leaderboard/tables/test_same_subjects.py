"""Value and interval of a cell rest on the same subjects: every cell of a table, recomputed from the subjects' own lines.

The records have undefined values, other ones in every seed, subjects without a lesion, one seed and several.
"""

import csv
import io
import json
import re
from functools import cache
from statistics import fmean

import numpy as np
import pytest
from scipy import special, stats
from support import synthetic_records
from support.synthetic_records import Size, write_benchmark

from andi_bench.metrics.compared import (
    compared,
    compared_counted,
    compared_in_groups,
    compared_per_subject,
)
from andi_bench.records.schema import LESION_ML
from andi_bench.records.store import read_subjects
from leaderboard.compare import compare
from leaderboard.exports.csv_text import to_csv
from leaderboard.exports.json_text import to_json
from leaderboard.exports.page.content import page_content
from leaderboard.exports.run_terminal import print_run
from leaderboard.tables import seeds
from leaderboard.tables.cells import NOTHING, with_interval
from leaderboard.tables.columns import columns_of
from leaderboard.tables.subgroups import group_tables
from leaderboard.tables.table import build_tables

MARKED = re.compile(r"^(-?[\d.]+) \[(-?[\d.]+), (-?[\d.]+)\]$")


lines_of = cache(read_subjects)


def holed(names, volumes, worth, rng, made=synthetic_records._table):
    """Leave every metric undefined for some subjects, others in each run and column."""
    table = made(names, volumes, worth, rng)
    for field in dict.fromkeys(found.metric.field for found in compared_per_subject()):
        if field in table.columns:
            gone = [name for name in names if rng.random() < 0.1]
            table.loc[table["subject"].isin(gone), field] = np.nan
    return table


@pytest.fixture(scope="module", params=[1, 3], ids=["one seed", "three seeds"])
def comparison(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic_records, "_table", holed)
        write_benchmark(folder, Size(2, 60, request.param, 3, 1_500))
    return compare(folder)


def values_of(row, found, members=None):
    """Return a metric's values by subject and seed, of the subjects for which all seeds have one; by pandas."""
    columns = []
    for run in row.runs:
        lines = lines_of(run.folder)
        lines = lines[lines["chain"] == row.chain]
        if found.point is not None:
            lines = lines[lines["point"] == found.point.name]
        lines = lines.drop_duplicates("subject").set_index("subject")
        if found.metric.field not in lines.columns:
            return np.empty((0, 1))
        ill = lines[LESION_ML] > 0
        kept = {"lesion": ill, "lesion-free": ~ill}.get(found.metric.over, ill | ~ill)
        column = lines.loc[kept, found.metric.field].dropna()
        columns.append(column[column.index.isin(members)] if members is not None else column)
    shared = sorted(set.intersection(*(set(column.index) for column in columns)))
    return np.array([[column[name] for column in columns] for name in shared])


def logit_interval(values):
    """Return the interval of a share's mean by the mean squares of two crossed samples, from scratch."""
    number, seeds_ = values.shape
    rows, grand = values.mean(axis=1), values.mean()
    squares = [seeds_ * np.sum((rows - grand) ** 2) / (number - 1)]
    degrees = [number - 1]
    if seeds_ > 1:
        columns = values.mean(axis=0)
        training = number * np.sum((columns - grand) ** 2) / (seeds_ - 1)
        rest = values - rows[:, None] - columns + grand
        rest = np.sum(rest**2) / ((number - 1) * (seeds_ - 1))
        if training > rest:
            squares += [training, -rest]
            degrees += [seeds_ - 1, (number - 1) * (seeds_ - 1)]
    total = sum(squares)
    freedom = total**2 / sum(s**2 / d for s, d in zip(squares, degrees, strict=True))
    error = np.sqrt(total / values.size) / (grand * (1 - grand))
    reach = stats.t.ppf(0.975, freedom) * error
    return special.expit(special.logit(grand) + np.array([-reach, reach]))


@pytest.mark.parametrize("found", compared_per_subject(), ids=lambda found: found.key)
def test_every_mean_and_interval_is_of_the_subjects_that_all_seeds_have(comparison, found):
    (table,) = comparison.tables
    for row in table.rows:
        values, figure = values_of(row, found), row.figures[found.key]
        if not len(values):
            assert figure.value is None
            continue
        assert figure.value == pytest.approx(values.mean())
        if found.metric.share and values.min() >= 0 and values.max() <= 1 and np.ptp(values) > 1e-9:
            assert (figure.low, figure.high) == pytest.approx(tuple(logit_interval(values)))
        if len(row.runs) > 1:
            assert figure.seed_sd == pytest.approx(values.mean(axis=0).std(ddof=1))


def test_every_interval_was_made_of_values_whose_mean_is_printed(comparison, monkeypatch):
    (table,) = comparison.tables
    made = {}

    def share(values, *more, real=seeds.share_interval):
        limits = real(values, *more)
        made[limits] = values.mean()
        return limits

    def amounts(columns, draws, real=seeds.amount_intervals):
        limits = real(columns, draws)
        for own, values in zip(limits, columns, strict=True):
            made[own] = values[np.isfinite(values).all(axis=1)].mean()
        return limits

    def proportion(values, real=seeds.proportion_interval):
        limits = real(values)
        made[limits] = values.mean()
        return limits

    monkeypatch.setattr(seeds, "share_interval", share)
    monkeypatch.setattr(seeds, "proportion_interval", proportion)
    monkeypatch.setattr(seeds, "amount_intervals", amounts)
    (again,) = build_tables(table.runs)
    checked = set()
    for row in again.rows:
        for found in [*compared_per_subject(), *compared_counted()]:
            figure = row.figures[found.key]
            if figure.low is not None:
                assert figure.value == pytest.approx(made[figure.low, figure.high])
                checked.add(found.metric.key)
    assert {"dice", "ap", "hd95", "matched_f1", "false_positive_ml_lesion_free"} <= checked


def test_counted_figures_divide_sums_over_the_subjects_that_all_seeds_have(comparison):
    (table,) = comparison.tables
    for row in table.rows:
        for found in compared_counted():
            parts = [
                [values_in(run, row.chain, found, names) for names in found.metric.ratio]
                for run in row.runs
            ]
            known = set.intersection(*(set(side) for run in parts for side in run))
            known = {name for name in known if all(run[1][name] > 0 for run in parts)}
            shares = [
                sum(run[0][name] for name in known) / sum(run[1][name] for name in known)
                for run in parts
                if known
            ]
            value = row.figures[found.key].value
            assert value == (pytest.approx(fmean(shares)) if shares else None)


def values_in(run, chain, found, names):
    lines = lines_of(run.folder)
    lines = lines[(lines["chain"] == chain) & (lines["point"] == found.point.name)]
    lines = lines[lines[LESION_ML] > 0].set_index("subject")
    if not set(names) <= set(lines.columns):
        return {}
    return lines[list(names)].dropna().sum(axis=1).to_dict()


def test_every_cell_prints_the_figure_and_the_limits_of_one_estimate(comparison):
    (table,) = comparison.tables
    printed = 0
    for column in columns_of(table):
        for row in table.rows:
            shown = MARKED.match(column.cell(row).text)
            if not shown:
                continue
            printed += 1
            figure = row.figures[column.metric]
            digits = len(shown.group(1).partition(".")[2])
            wanted = [f"{figure.value:.{digits}f}", f"{figure.low:.2f}", f"{figure.high:.2f}"]
            assert list(shown.groups()) == [wanted[0], *(w.removeprefix("0") for w in wanted[1:])]
    assert printed
    assert NOTHING.text not in {column.cell(table.rows[0]).text for column in columns_of(table)[:5]}


def test_exports_hold_the_same_estimates(comparison):
    (table,) = comparison.tables
    lines = json.loads(to_json(comparison))["tables"][0]["rows"]
    content = page_content(comparison)
    page = content["tables"][0]
    cells = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    every = content["bases"][page["base"]]["rows"]
    for row, line, cell, own in zip(table.rows, lines, cells, page["rows"], strict=True):
        shown = every[own["of"]]
        for key in compared():
            figure = row.figures[key]
            assert line[key] == figure.value
            if figure.value is not None:
                assert shown["estimates"][key][0] == pytest.approx(figure.value, rel=1e-4)
            if figure.low is not None:
                assert (line[f"{key}_low"], line[f"{key}_high"]) == (figure.low, figure.high)
                assert float(cell[f"{key}_low"]) == figure.low
                assert shown["estimates"][key][1:3] == pytest.approx(
                    [figure.low, figure.high], rel=1e-4
                )


def test_tables_by_sub_group_too(comparison):
    (found,) = group_tables(comparison.tables, "lesion-size")
    rows = {(row.label, row.chain): row for row in comparison.tables[0].rows}
    checked = 0
    for part in found.rows:
        row, members = rows[part.label, part.chain], found.members[part.group]
        for one in compared_in_groups():
            values, figure = values_of(row, one, members), part.figures[one.key]
            if figure.value is None:
                continue
            checked += 1
            assert figure.value == pytest.approx(values.mean())
            assert part.counts[one.key] <= len(members)
            if one.metric.share and figure.low is not None and np.ptp(values) > 1e-9:
                assert (figure.low, figure.high) == pytest.approx(tuple(logit_interval(values)))
    assert checked


def test_differences_and_ranks_are_of_the_subjects_that_all_rows_have(comparison):
    (table,), (statistics,) = comparison.tables, comparison.statistics
    for family in [statistics.family]:
        by_key = {row.key: row for row in table.rows}
        for test in family.tests:
            means = [
                np.mean([[seed[name] for name in family.subjects] for seed in by_key[key].by_seed])
                for key in (test.first, test.second)
            ]
            assert test.difference == pytest.approx(means[0] - means[1])
            assert test.low < test.difference < test.high
        for ranking in family.rankings[:1]:
            for key, score in zip(family.keys, ranking.scores, strict=True):
                own = [[seed[name] for name in family.subjects] for seed in by_key[key].by_seed]
                assert score == pytest.approx(np.mean(own))


def test_seeds_that_share_no_subject_have_no_mean(make_run, records_dir):
    nothing = float("nan")
    chains = {"chains": ("raw",)}
    make_run("a", {"raw": [0.2, 0.4, nothing, nothing]}, protocol=chains)
    make_run("a", {"raw": [nothing, nothing, 0.6, 0.7]}, seed=1, protocol=chains)
    make_run("b", {"raw": [0.2, 0.4, 0.5, nothing]}, protocol=chains)
    make_run("b", {"raw": [nothing, 0.5, 0.6, 0.7]}, seed=1, protocol=chains)
    rows = {row.label: row for row in compare(records_dir).tables[0].rows}
    assert rows["a"].figures["dice@val-dice"].value is None
    assert rows["a"].rank is None
    assert rows["b"].figures["dice@val-dice"].value == pytest.approx((0.45 + 0.55) / 2)


def test_show_prints_the_interval_that_the_table_prints(comparison, tmp_path):
    (table,) = comparison.tables
    alone = [row for row in table.rows if len(row.runs) == 1]
    for row in alone:
        with (tmp_path / "out.txt").open("w") as file:
            print_run(row.runs[0], file)
        lines = (tmp_path / "out.txt").read_text().splitlines()
        (line,) = (one for one in lines if one.split()[:2] == [row.chain, "val-dice"])
        assert with_interval(row.figures["dice@val-dice"]) in line
