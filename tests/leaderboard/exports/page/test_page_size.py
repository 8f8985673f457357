"""A page of a large benchmark: made in seconds, within the size that a browser opens."""

import re
import time

import pytest
from support.page_records import write_run
from test_page import content_of, parsed

from leaderboard.compare import compare
from leaderboard.exports.page.render import write_page


@pytest.mark.slow
def test_twelve_methods_250_subjects_and_three_seeds_make_a_page_of_30_mb_in_30_seconds(tmp_path):
    folder = tmp_path / "records"
    subjects = [f"S{k:03d}" for k in range(250)]
    for method in range(12):
        for seed in range(3):
            write_run(
                folder,
                f"method-{method}",
                seed=seed,
                skill=0.8 - 0.04 * method,
                subjects=subjects,
                previews=subjects[::40] if seed == 0 else (),
                shape=(76, 80, 76),
            )
    begun = time.process_time()
    left = write_page(tmp_path / "page.html", compare(folder))
    assert time.process_time() - begun < 30
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    blobs = re.findall(r'<script type="text/plain" id="blob-\w+">[^<]*</script>', page)
    assert len(blobs) > 50
    assert len(page) - sum(map(len, blobs)) < 10_000_000  # what it is without previews
    assert 20_000_000 < (tmp_path / "page.html").stat().st_size < 30_000_000
    assert "did not fit" in left
    content = content_of(parsed(page))
    table = content["tables"][0]
    assert len(table["rows"]) == 12
    assert len(table["every"]) == 24
    assert len(table["subjects"]) == 250
    # what is left is still seen side by side: the same subjects for nearly all methods
    counts = [len(shown) for shown in content["previews"].values()]
    assert len(counts) == 12
    assert max(counts) - min(counts) <= 1
