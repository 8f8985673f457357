"""The catalogue of metrics and that of operating points: once each, whole, and spelt nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import numpy as np
import pytest
from support.places import ROOT

from andi_bench.errors import UserError
from andi_bench.metrics import compared as of_tables
from andi_bench.metrics.case import Case
from andi_bench.metrics.catalogue import CATALOGUE, per_subject, summarised
from andi_bench.metrics.compared import (
    compared,
    compared_in_groups,
    metric_at,
    ranking_metric,
)
from andi_bench.metrics.metric import Metric
from andi_bench.metrics.overlap import Overlap, counts
from andi_bench.metrics.points import POINTS, RANKING, RANKING_POINT, UPPER_BOUND, rates

SHIPPED = ("andi_bench", "benchmark", "datasets", "leaderboard", "methods")
ALLOWED = {
    "andi_bench/metrics/points.py",
    "andi_bench/metrics/paper.py",  # "yen" is a row of the published file, whatever we call a point
}


def spelt(text: str) -> bool:
    names = "|".join(map(re.escape, POINTS))
    return re.search(rf"(?<![\w-])(?:{names})(?![\w-])", text) is not None


def prose(tree: ast.AST) -> set[int]:
    """Identities of the docstrings, which may speak of a point as any text may."""
    found = set()
    for node in ast.walk(tree):
        for child in (
            getattr(node, "body", []) if isinstance(getattr(node, "body", []), list) else []
        ):
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                found.add(id(child.value))
    return found


def spellings() -> Iterator[str]:
    for package in SHIPPED:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            skipped = prose(tree)
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and id(node) not in skipped
                    and spelt(node.value)
                ):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in {".js", ".j2", ".css"}:
                for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                    if spelt(line.partition("// ")[0]):
                        yield f"{path.relative_to(ROOT)}:{number}"


def test_no_operating_point_is_spelt_outside_its_catalogue() -> None:
    found = [place for place in spellings() if place.partition(":")[0] not in ALLOWED]
    assert found == []


def case(**changes: object) -> Case:
    rng = np.random.default_rng(4)
    shape = (8, 9, 7)
    lesion = np.zeros(shape, bool)
    lesion[2:5, 2:5, 2:5] = True
    scores = (rng.random(shape) + lesion).astype(np.float32)
    masks = {"brain": np.ones(shape, bool), "lesion": lesion, "detection": scores > 0.9}
    return Case(scores, spacing=(2.0, 2.0, 3.0), **{**masks, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", per_subject(), ids=lambda metric: metric.key)
def test_every_metric_measures_a_case_and_what_is_over_lesions_is_undefined_without_one(
    metric: Metric,
) -> None:
    assert metric.measure is not None
    found = metric.measure(case())
    if "sensitivity " not in metric.key:  # of a size that this lesion does not have
        assert isinstance(float(found), float)
    if metric.over == "lesion":
        assert metric.measure(case(lesion=np.zeros((8, 9, 7), bool))) is None


def test_a_metric_of_counts_needs_no_mask() -> None:
    empty = np.zeros((0, 0, 0))
    counted = Case(
        empty.astype(np.float32), empty > 0, empty > 0, (1, 1, 1), known={counts: Overlap(3, 1, 1)}
    )
    for metric in per_subject():
        if metric.is_at(UPPER_BOUND):
            assert not metric.needs_masks
            assert metric.measure is not None
            assert metric.measure(counted) == 0.75
    with pytest.raises(ValueError, match="no detection here"):
        _ = counted.detection


def test_work_that_metrics_share_is_done_once() -> None:
    calls = []

    def slow(found: Case) -> int:
        calls.append(found)
        return 1

    one = case()
    assert one.shared(slow) + one.shared(slow) == 2
    assert calls == [one]


def test_titles_and_columns_are_told_apart() -> None:
    columns = [metric.field for metric in per_subject()]
    assert len(set(columns)) == len(columns)
    titles = [found.title for found in compared().values() if found.metric.at != "rated"]
    assert len(set(titles)) == len(titles)
    assert all(metric.definition for metric in CATALOGUE.values())


def test_what_ranks_is_in_the_catalogue_and_may_rank() -> None:
    assert ranking_metric(RANKING) == RANKING == f"dice@{RANKING_POINT.name}"
    assert compared_in_groups()[0].key == RANKING
    assert of_tables.tested_metric("pooled_ap") == "ap"
    assert of_tables.tested_metric("hd95@val-dice") == "hd95@val-dice"
    assert metric_at("hd95@val-dice").sign == -1
    for key, found in compared().items():
        if not found.unranked:
            continue
        with pytest.raises(UserError, match="never ranks: "):
            ranking_metric(key)


def test_an_upper_bound_has_only_what_tells_how_far_it_is() -> None:
    keys = [metric.key for metric in summarised(UPPER_BOUND)]
    assert keys == ["dice", "sensitivity", "precision"]
    assert summarised(RANKING_POINT)[-1].over == "lesion-free"
    assert rates() == {"val-fpr1": 0.01, "val-fpr5": 0.05}


def test_the_names_of_the_points_are_known_before_anything_heavy_is_imported() -> None:
    source = (ROOT / "andi_bench/metrics/points.py").read_text(encoding="utf-8")
    top = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {getattr(node, "module", None) for node in top} == {
        "__future__",
        "collections.abc",
        "dataclasses",
        "typing",
    }
