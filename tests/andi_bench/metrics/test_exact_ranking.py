"""Exact average precision and AUROC against scikit-learn."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, roc_auc_score

from andi_bench.metrics.exact import exact_pooled_ranking, exact_ranking
from andi_bench.metrics.histograms.scores import NonFiniteScores

Subject = tuple[np.ndarray, np.ndarray]

subjects = st.integers(1, 50).flatmap(
    lambda size: st.tuples(
        hnp.arrays(
            np.float32,
            size,
            elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
            | st.sampled_from([0.0, -0.0, 0.5, -1.0]),
        ),
        hnp.arrays(bool, size),
    )
)


def check(found: float | None, reference: object, scores: np.ndarray, lesion: np.ndarray) -> None:
    assert found == pytest.approx(reference(lesion, scores.astype(float)), abs=1e-12)  # type: ignore[operator]


@given(subjects)
@settings(max_examples=120, deadline=None)
def test_a_subjects_ranking_equals_sklearns_ties_included(subject: Subject) -> None:
    scores, lesion = subject
    ranking = exact_ranking(scores, lesion)
    assert (ranking.positives, ranking.negatives) == (lesion.sum(), (~lesion).sum())
    if not lesion.any():
        assert ranking.average_precision is None
        assert ranking.auroc is None
        return
    check(ranking.average_precision, average_precision_score, scores, lesion)
    if lesion.all():
        assert ranking.auroc is None
    else:
        check(ranking.auroc, roc_auc_score, scores, lesion)


@given(st.lists(subjects, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_two_passes_over_the_subjects_equal_sklearn_on_the_concatenation(
    set_of_subjects: list[Subject],
) -> None:
    scores = np.concatenate([one[0] for one in set_of_subjects])
    lesion = np.concatenate([one[1] for one in set_of_subjects])
    pooled, together = exact_pooled_ranking(set_of_subjects), exact_ranking(scores, lesion)
    assert (pooled.positives, pooled.negatives) == (together.positives, together.negatives)
    assert pooled.average_precision == pytest.approx(together.average_precision, abs=1e-12)
    assert pooled.auroc == pytest.approx(together.auroc, abs=1e-12)
    if lesion.any():
        check(pooled.average_precision, average_precision_score, scores, lesion)


def test_two_passes_equal_sklearn_on_volumes_of_some_size() -> None:
    rng = np.random.default_rng(0)
    volumes = [
        (np.round(rng.normal(size=(20, 20, 20)), 2).astype(np.float32), rng.random((20,) * 3) < 0.1)
        for _ in range(4)
    ]
    pooled = exact_pooled_ranking(volumes)
    scores = np.concatenate([one[0].ravel() for one in volumes])
    lesion = np.concatenate([one[1].ravel() for one in volumes])
    check(pooled.average_precision, average_precision_score, scores, lesion)
    check(pooled.auroc, roc_auc_score, scores, lesion)


def test_a_generator_cannot_be_read_twice_and_is_refused() -> None:
    def once() -> Iterator[Subject]:
        yield np.zeros(3), np.array([True, False, False])

    with pytest.raises(ValueError, match="read twice"):
        exact_pooled_ranking(once())


def test_no_subject_at_all_is_undefined() -> None:
    ranking = exact_pooled_ranking([])
    assert ranking.average_precision is None
    assert ranking.auroc is None


def test_nan_is_refused_by_both() -> None:
    scores, lesion = np.array([0.0, np.nan]), np.array([True, False])
    with pytest.raises(NonFiniteScores, match="1 of 2"):
        exact_ranking(scores, lesion)
    with pytest.raises(NonFiniteScores, match="1 of 2"):
        exact_pooled_ranking([(scores, lesion)])
