"""A record's raw chain, held against numpy, scipy, scikit-learn, scikit-image and medpy written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from medpy.metric.binary import assd, hd95
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from skimage.filters import threshold_yen
from sklearn.metrics import average_precision_score, roc_auc_score


def dice(detection, lesion):
    both = detection.sum() + lesion.sum()
    return 2 * (detection & lesion).sum() / both if both else 1.0


def check_by_hand(record, table, scores, brains, lesions, val, test, spacing):
    """Check every figure of the raw chain.

    Parameters
    ----------
    record, table
        The run record, and its table of subjects.
    scores, brains, lesions : dict of arrays (X, Y, Z)
        By subject, on one grid and in any orientation.
    val, test : sequences of str
        Subjects.
    spacing : (float, float, float)
        Of that grid, mm.
    """
    voxel_ml = float(np.prod(spacing)) / 1000
    lines = table[table["chain"] == "raw"].set_index(["subject", "point"])
    points = record.operating_points["raw"]
    # val-dice: no score of the validation subjects gives a better mean Dice
    inside = {n: scores[n][brains[n]] for n in [*val, *test]}
    truth = {n: lesions[n][brains[n]] for n in [*val, *test]}
    candidates = np.unique(np.concatenate([inside[n] for n in val]))
    candidates = candidates[:: max(1, len(candidates) // 400)]
    ill = [n for n in val if truth[n].any()]
    best = max(np.mean([dice(inside[n] > t, truth[n]) for n in ill]) for t in candidates.tolist())
    frozen = points["val-dice"].threshold
    assert np.mean([dice(inside[n] > frozen, truth[n]) for n in ill]) >= best - 1e-9
    healthy = np.concatenate([inside[n][~truth[n]] for n in val])
    for name, rate in (("val-fpr1", 0.01), ("val-fpr5", 0.05)):
        assert (healthy > points[name].threshold).mean() <= rate
        assert (healthy >= points[name].threshold).mean() > rate - 1e-3
    tested = np.concatenate([inside[n][~truth[n]] for n in test])
    for name in ("val-dice", "val-fpr1", "val-fpr5"):
        assert points[name].test_fpr == pytest.approx(
            (tested > points[name].threshold).mean(), abs=1e-4
        )
    for n in test:
        for name in ("val-dice", "val-fpr1", "val-fpr5", "oracle"):
            line, detection = lines.loc[(n, name)], inside[n] > points[name].threshold
            if not truth[n].any():
                assert np.isnan([line[name] for name in ("dice", "sensitivity", "precision")]).all()
            else:
                assert line["dice"] == pytest.approx(dice(detection, truth[n]), abs=1e-12)
                assert line["sensitivity"] == pytest.approx(detection[truth[n]].mean())
            if detection.any() and truth[n].any():
                assert line["precision"] == pytest.approx(truth[n][detection].mean())
        yen = np.zeros(brains[n].shape, dtype=bool)
        yen[brains[n]] = inside[n] > threshold_yen(inside[n])
        yen = ndimage.binary_dilation(yen) & brains[n]
        if truth[n].any():
            assert lines.loc[(n, "yen")]["dice"] == pytest.approx(dice(yen, lesions[n] & brains[n]))
        line = lines.loc[(n, "val-dice")]
        detection = np.zeros(brains[n].shape, dtype=bool)
        detection[brains[n]] = inside[n] > frozen
        lesion = lesions[n] & brains[n]
        everywhere = np.ones((3, 3, 3))
        spots, count = ndimage.label(detection, everywhere)
        labels, total = ndimage.label(lesion, everywhere)
        assert line["lesions"] == total
        covered = ndimage.mean(detection, labels, range(1, total + 1)) if total else np.array([])
        assert line["lesions_found"] == np.count_nonzero(np.asarray(covered) >= 0.1)
        near = np.zeros((total, count))
        for one in range(total):
            for other in range(count):
                own, its = labels == one + 1, spots == other + 1
                near[one, other] = (own & its).sum() / (own | its).sum() > 0.1
        matches = near[linear_sum_assignment(near, maximize=True)].sum()
        if not total:
            assert line["any_detection"] == detection.any()
            assert line["false_positive_rate"] == pytest.approx(detection.sum() / brains[n].sum())
        assert line["detections"] == count
        assert line["lesions_matched"] == matches
        if total:
            assert line["matched_f1"] == pytest.approx(2 * matches / (total + count))
            assert line["unmatched_detections"] == count - matches
        assert line["false_positive_ml"] == pytest.approx((detection & ~lesion).sum() * voxel_ml)
        if detection.any() and lesion.any():
            assert line["hd95"] == pytest.approx(hd95(detection, lesion, spacing))
            assert line["assd"] == pytest.approx(assd(detection, lesion, spacing))
        else:
            assert np.isnan(line["hd95"])
        if truth[n].any():
            ap = average_precision_score(truth[n], inside[n])
            assert line["ap"] == pytest.approx(ap, abs=1e-9)
            assert line["auroc"] == pytest.approx(roc_auc_score(truth[n], inside[n]), abs=1e-9)
        else:
            assert np.isnan(line["ap"])
    pooled = record.summary["raw"].pooled
    everyone = np.concatenate([truth[n] for n in test]), np.concatenate([inside[n] for n in test])
    assert abs(pooled.ap - average_precision_score(*everyone)) <= pooled.ap_error + 1e-9
    assert abs(pooled.auroc - roc_auc_score(*everyone)) <= pooled.auroc_error + 1e-9
    assert max(pooled.ap_error, pooled.auroc_error) <= 1e-4
    mean = np.nanmean([lines.loc[(n, "val-dice")]["dice"] for n in test])
    assert record.summary["raw"].subjects["dice@val-dice"].mean == pytest.approx(mean)
