"""FROC curves and detected shares of a row: over seeds, and nothing where one of them lacks it."""

import numpy as np
import pytest
from support.page_records import write_run

from andi_bench.records.schema import FrocCurve
from leaderboard.compare import compare
from leaderboard.tables.detected_shares import detected_share
from leaderboard.tables.froc_curves import PAID, froc_curves, mean_sensitivity


def curve(paid, found):
    return FrocCurve(
        at=(), false_positives=paid, sensitivity=found, lesions=9, with_lesion=3, scans=4
    )


def test_a_curve_has_at_each_rate_what_so_many_false_positives_buy():
    mean = mean_sensitivity([curve((1.0, 2.0), (0.4, 0.8)), curve((0.5,), (0.2,))])
    assert (mean[PAID < 0.5] == 0).all()
    np.testing.assert_allclose(mean[(PAID >= 0.5) & (PAID < 1)], 0.1)
    np.testing.assert_allclose(mean[(PAID >= 1) & (PAID < 2)], 0.3)
    np.testing.assert_allclose(mean[PAID >= 2], 0.5)


def test_a_seed_without_one_leaves_none(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path, "andi", seed=seed)
    (row,) = compare(tmp_path).tables[0].rows
    assert len(froc_curves(row)) == 2
    assert detected_share(row, "val-fpr1") == pytest.approx(1.2)
    run = row.runs[1]
    run.summary[row.chain] = run.summary[row.chain].model_copy(update={"froc": None})
    point = run.operating_points[row.chain]["val-fpr1"]
    run.operating_points[row.chain]["val-fpr1"] = point.model_copy(update={"test_fpr": None})
    assert froc_curves(row) == []
    assert detected_share(row, "val-fpr1") is None
    run.operating_points[row.chain]["val-fpr1"] = point.model_copy(update={"test_fpr": 0.0})
    assert detected_share(row, "val-fpr1") == pytest.approx(0.6)  # 0 is a share as well
