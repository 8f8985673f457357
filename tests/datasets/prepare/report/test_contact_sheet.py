"""Contact sheets: every patient is on one, and so is every failure."""

import shutil

import matplotlib.image
import numpy as np
import pytest

from andi_bench.executor import Failure
from datasets.prepare.register.registration_template import read_template
from datasets.prepare.report.contact_sheet import COLUMNS, ROWS, write_contact_sheets


@pytest.fixture
def many(finished):
    """More registered patients than one page holds."""
    for k in range(COLUMNS * ROWS):
        shutil.copytree(finished / "registered" / "best_train_1", finished / "registered" / f"p{k}")
    return finished / "registered"


def test_the_pages_hold_all_and_pages_of_an_earlier_time_go(many, coarse, tmp_path):
    template = read_template(coarse)
    names = [f"p{k}" for k in range(COLUMNS * ROWS)]
    one = Failure("bad", "its T1 is truncated")
    pages = write_contact_sheets(many, names, [one], template, tmp_path / "pages")
    assert [path.name for path in pages] == ["contact-sheet-01.png", "contact-sheet-02.png"]
    first, second = (matplotlib.image.imread(path) for path in pages)
    assert second.shape[0] < first.shape[0] / 3
    yellow = (second[..., 0] > 0.8) & (second[..., 1] > 0.6) & (second[..., 2] < 0.5)
    assert yellow.sum() > 100  # the template's outline
    again = [path.read_bytes() for path in pages]
    write_contact_sheets(many, names, [one], template, tmp_path / "pages")
    assert [path.read_bytes() for path in pages] == again
    write_contact_sheets(many, names[:2], [], template, tmp_path / "pages")
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["contact-sheet-01.png"]


def test_a_template_s_outline_lies_on_the_template_s_own_brain(coarse, finished):
    """The montage of the template's mask and of a registered T1 show the same planes the same way up."""
    from datasets.prepare.report.contact_sheet import _layout
    from datasets.scans.nifti import read_nifti

    layout = _layout(read_template(coarse))
    scan = read_nifti(finished / "registered" / "best_train_1" / "best_train_1_t1.nii.gz")
    shown = layout.montage(scan.values) > 0.1 * scan.values.max()
    outline = layout.brain > 0.5
    assert 2 * (shown & outline).sum() / (shown.sum() + outline.sum()) > 0.9
    # anterior is up in the first plane: the brain is narrower there
    axial = outline[:, : outline.shape[1] // 3]
    rows = np.flatnonzero(axial.any(axis=1))
    assert axial[rows[1]].sum() <= axial[rows[-2]].sum()
