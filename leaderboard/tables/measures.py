"""The figures that a leaderboard shows, which of them may rank, and which way they point."""

from __future__ import annotations

from andi_bench.errors import UserError, unknown_name

RANKING = "dice@val-dice"
"""What ranks, unless another metric is asked for."""

SUBJECT_METRICS = (
    RANKING, "dice@val-fpr1", "dice@val-fpr5", "dice@yen", "dice@oracle",
    "sensitivity@val-dice", "precision@val-dice", "ap", "auroc", "hd95@val-dice", "assd@val-dice",
    "lesion_sensitivity@val-dice", "lesion_precision@val-dice", "lesion_f1@val-dice",
    "false_positive_lesions@val-dice", "false_positive_ml_lesion_free@val-dice",
)  # fmt: skip
POOLED_METRICS = ("ap", "auroc", "prevalence")
FALSE_POSITIVE_RATES = {"val-fpr1": 0.01, "val-fpr5": 0.05}
"""Operating points with a nominal false-positive rate."""

TITLES = {
    RANKING: "Dice@val-dice",
    "dice@val-fpr1": "Dice@val-fpr1",
    "dice@val-fpr5": "Dice@val-fpr5",
    "dice@yen": "Dice@yen",
    "ap": "AP per subject",
    "pooled_ap": "Pooled AP",
    "sensitivity@val-dice": "Sensitivity@val-dice",
    "precision@val-dice": "Precision@val-dice",
    "hd95@val-dice": "HD95 (mm)",
    "assd@val-dice": "ASSD (mm)",
    "lesion_sensitivity@val-dice": "Lesion sensitivity",
    "lesion_precision@val-dice": "Lesion precision",
    "lesion_f1@val-dice": "Lesion F1",
    "false_positive_lesions@val-dice": "FP lesions",
}
"""Metrics that may rank, and their names in words."""

LOWER_IS_BETTER = ("hd95@val-dice", "assd@val-dice", "false_positive_lesions@val-dice")

_NEVER = {
    "dice@oracle": "its threshold is found on the test split itself",
    "auroc": "it saturates where lesions are small",
    "pooled_auroc": "it saturates where lesions are small",
}


def ranking_metric(name: str) -> str:
    """Return the metric of that name, such as ``ap`` or ``dice@yen``.

    Raises
    ------
    UserError
        For a name that is unknown, with the nearest one, or a metric that never ranks, with the reason.
    """
    if name in _NEVER:
        raise UserError(f"metric '{name}' never ranks: {_NEVER[name]}")
    if name not in TITLES:
        raise unknown_name("metric", name, set(TITLES))
    return name


def tested_metric(metric: str) -> str:
    """Return the per-subject metric that tests and ranking schemes use where this one ranks."""
    return "ap" if metric == "pooled_ap" else metric


def sign(metric: str) -> int:
    """Return 1 where more is better, -1 where less is."""
    return -1 if metric in LOWER_IS_BETTER else 1
