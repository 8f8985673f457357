"""One browser, and one page, for all tests of the page."""

from __future__ import annotations

import pytest
from support.browser import CHROMIUM, QUIET
from support.page_records import add_preview, drawn_histograms, write_run

from leaderboard.compare import compare
from leaderboard.exports.page.render import write_page

SUBJECTS = [f"S{k:03d}" for k in range(12)]
SKILLS = {"andi": 0.7, "dae": 0.6, "ae": 0.3}


@pytest.fixture(scope="session")
def browser():
    """Chromium, started once."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield found
        found.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A page of three methods, one with two seeds, on two regions, and of one on other data; three subjects with previews.

    Of one subject a method shows what it expected.
    """
    root = tmp_path_factory.mktemp("site")
    histograms = drawn_histograms(SUBJECTS, 600)
    for method, skill in SKILLS.items():
        for seed in (0, 1) if method == "andi" else (0,):
            write_run(
                root / "records",
                method,
                seed=seed,
                skill=skill,
                histograms=histograms,
                subjects=SUBJECTS,
                previews=SUBJECTS[:3],
                seconds=skill,
            )
    (dae,) = (root / "records").glob("dae*")
    add_preview(
        dae, "S001", SKILLS["dae"], shown=[("flair", 1), ("t1", 2), ("expected (flair)", 3)]
    )
    write_run(root / "records", "andi", region="all", skill=0.65, subjects=SUBJECTS)
    write_run(root / "records", "andi", dataset="zebras", skill=0.5, subjects=SUBJECTS)
    comparison = compare(root / "records")
    write_page(root / "page.html", comparison)
    write_page(root / "folder", comparison)
    return root
