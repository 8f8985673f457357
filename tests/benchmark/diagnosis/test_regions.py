"""Regions of the brain: the template's tissues where they belong, the rim and the base by the scan's own shape."""

import json

import numpy as np
import pytest

from andi_bench.errors import UserError
from benchmark.diagnosis import regions
from benchmark.diagnosis.regions import (
    BASE,
    REGIONS,
    RIM,
    VENTRICLES,
    WHITE,
    heights_of,
    regions_of,
    registered,
    template_brain,
    tissues,
    working_affine,
)
from benchmark.scoring.scan_views import ScanView
from datasets.prepare.register.affine import Registration, resample_to

SPACING = (4.0, 4.0, 4.0)


@pytest.fixture(scope="module")
def scan():
    """Return the template's T1 and brain on a working grid of 4 mm, and the way to the template."""
    template = template_brain()
    to_template = np.eye(4)
    to_template[1, 3] = 239.0  # where the corner of the BraTS grid lies
    back = np.linalg.inv(to_template)
    shape = (60, 60, 39)
    t1 = resample_to(template.values, template.affine, back, shape, working_affine(SPACING))
    return t1, t1 > 0.05, to_template


def test_the_templates_tissues_come_to_where_they_are_in_the_scan(scan):
    t1, brain, to_template = scan
    found = tissues(to_template, brain, SPACING)
    ml = np.bincount(found[brain], minlength=len(REGIONS)) * 0.064
    assert 15 < ml[VENTRICLES] < 60
    assert t1[brain & (found == VENTRICLES)].mean() < 0.7 * t1[brain & (found == WHITE)].mean()
    middle = np.argwhere(brain & (found == VENTRICLES)).mean(axis=0)
    assert abs(middle[0] * 4 - 120) < 4  # the ventricles lie about the midline
    moved = to_template.copy()
    moved[0, 3] += 40
    assert tissues(moved, brain, SPACING)[found == VENTRICLES].tolist().count(VENTRICLES) < 0.2 * (
        np.count_nonzero(found == VENTRICLES)
    )


def test_a_brain_is_divided_by_its_own_shape_and_ventricles_come_first():
    grid = np.stack(np.meshgrid(*[np.arange(40)] * 3, indexing="ij")) - 19.5
    brain = (grid**2).sum(axis=0) < 18**2
    tissue = np.full(brain.shape, WHITE, dtype=np.uint8)
    tissue[18:22, 18:22, :] = VENTRICLES
    found = regions_of(tissue, brain, (2.0, 2.0, 2.0))
    assert (found[18:22, 18:22][brain[18:22, 18:22]] == VENTRICLES).all()
    radius = np.sqrt((grid**2).sum(axis=0)) * 2
    other = brain & (tissue != VENTRICLES)
    assert (found[other & (radius > 36 - 3)] == RIM).all()
    assert not (found[other & (radius < 36 - 8)] == RIM).any()
    deep = other & (radius < 28)
    assert (found[deep & (heights_of(brain) < 2)] == BASE).all()
    assert (found[deep & (heights_of(brain) >= 2)] == WHITE).all()


def test_a_brain_that_the_scan_cuts_off_has_no_rim_there():
    brain = np.zeros((20, 20, 12), dtype=bool)
    brain[2:18, 2:18, :] = True
    tissue = np.full(brain.shape, WHITE, dtype=np.uint8)
    found = regions_of(tissue, brain, (3.0, 3.0, 3.0))
    assert found[10, 10, 11] == WHITE
    assert found[2, 10, 6] == RIM


def test_heights_are_ten_equal_parts_of_the_brain():
    brain = np.zeros((3, 3, 40), dtype=bool)
    brain[1, 1, 5:35] = True
    part = heights_of(brain)[1, 1, 5:35]
    assert np.bincount(part).tolist() == [3] * 10
    assert (np.diff(part.astype(int)) >= 0).all()
    assert heights_of(np.zeros((2, 2, 4), dtype=bool)).shape == (2, 2, 4)


def test_a_registration_is_made_once_and_kept(scan, tmp_path, monkeypatch):
    t1, brain, _ = scan
    seen = []

    def register(values, affine, template):
        seen.append((values, affine))
        return Registration(np.diag([2.0, 1, 1, 1]), 0.0, 1.0, 0.5, 0.9)

    monkeypatch.setattr(regions, "register_affine", register)
    levels = (255 * t1 / t1.max()).astype(np.uint8)
    view = ScanView(
        np.stack([levels // 2, levels]), (slice(0, 60), slice(0, 60)), ("flair", "t1"), levels
    )
    kept = tmp_path / "template" / "S.json"
    for _ in range(2):
        assert registered(view, brain, SPACING, kept).tolist() == np.diag([2, 1, 1, 1]).tolist()
    ((values, affine),) = seen
    assert values[brain].max() == 256  # the T1, though FLAIR comes first
    assert (values[~brain] == 0).all()
    assert affine.tolist() == working_affine(SPACING).tolist()
    found = json.loads(kept.read_text())
    kept.write_text(json.dumps({**found, "template": "another"}))
    registered(view, brain, SPACING, kept)
    assert len(seen) == 2
    kept.write_text("[")
    with pytest.raises(UserError, match="S.json: damaged"):
        registered(view, brain, SPACING, kept)


@pytest.mark.slow
def test_a_displaced_brain_is_found_again(scan, tmp_path):
    t1, brain, to_template = scan
    shift = (3, -2, 1)
    levels = np.roll((255 * t1 / t1.max()).astype(np.uint8), shift, (0, 1, 2))
    brain = np.roll(brain, shift, (0, 1, 2))
    view = ScanView(levels[None], (slice(0, 60), slice(0, 60)), ("t1",), levels)
    found = registered(view, brain, SPACING, tmp_path / "S.json")
    expected = to_template.copy()
    expected[:3, 3] += np.array([4 * 3, 4 * -2, -4 * 1])
    corners = np.array([[-60.0, -60, 40, 1], [-180, -160, 120, 1]]).T
    assert np.abs((found - expected) @ corners).max() < 4
