"""The site, built strictly: no dead link, nothing from elsewhere, every page in the navigation; searched from disk."""

import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from support.browser import CHROMIUM, QUIET, needs_browser
from support.places import ROOT

pytestmark = pytest.mark.slow


class Links(HTMLParser):
    """What a page links to, what it loads, and where one may jump to in it."""

    def __init__(self):
        super().__init__()
        self.links, self.loaded, self.anchors = [], [], set()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") != "canonical" and found.get("href"):
            self.loaded.append(found["href"])
        elif found.get("src"):
            self.loaded.append(found["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs", reason="the extra [docs] is not installed: make docs")
    pytest.importorskip("material", reason="the extra [docs] is not installed: make docs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not included in the" not in done.stderr
    return folder


@cache
def read(path):
    found = Links()
    found.feed(path.read_text(encoding="utf-8"))
    return found


def test_every_document_is_a_page(site):
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    wanted = {path.with_suffix(".html").name for path in (ROOT / "docs").glob("*.md")}
    wanted |= {f"leaderboard/{path.stem}.html" for path in (ROOT / "leaderboard").glob("*.md")}
    wanted |= {f"notebooks/{path.stem}.html" for path in (ROOT / "docs").rglob("*.ipynb")}
    wanted |= {"reference/command-line.html", "reference/api/metrics.html", "contributing.html"}
    assert wanted - pages == set()


def test_no_link_is_dead(site):
    dead = []
    for page in site.rglob("*.html"):
        for link in read(page).links:
            parts = urlsplit(link)
            if parts.scheme or page.name == "404.html":
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if target.is_dir():
                target /= "index.html"
            missing = not target.is_file()
            if not missing and parts.fragment and target.suffix == ".html":
                missing = unquote(parts.fragment) not in read(target).anchors
            if missing:
                dead.append(f"{page.relative_to(site)}: {link}")
    assert dead == []


def test_nothing_is_loaded_from_elsewhere(site):
    loaded = {(p.name, one) for p in site.rglob("*.html") for one in read(p).loaded}
    assert [one for one in loaded if re.match(r"(https?:)?//", one[1])] == []
    sheets = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert [one for text in sheets for one in re.findall(r"url\(['\"]?(https?:[^)]*)", text)] == []


def test_every_picture_is_there(site):
    missing = [
        f"{page.relative_to(site)}: {one}"
        for page in site.rglob("*.html")
        for one in read(page).loaded
        if page.name != "404.html"
        and not urlsplit(one).scheme
        and not (page.parent / unquote(urlsplit(one).path)).exists()
    ]
    assert missing == []


def test_tables_that_are_folded_away_are_tables(site):
    page = (site / "leaderboard" / "phantom-details.html").read_text(encoding="utf-8")
    folded = re.findall(r"<details.*?</details>", page, re.S)
    assert folded
    assert [one for one in folded if "<table" not in one or "| --" in one] == []


def test_docstrings_became_words(site):
    text = Path(site / "reference" / "api" / "detectors.html").read_text(encoding="utf-8")
    assert "score_slices" in text
    assert "PARAMETER" in text or "Parameters" in text
    roles = {
        page.name: re.findall(r":\w+:<code>", page.read_text(encoding="utf-8"))
        for page in site.rglob("*.html")
    }
    assert {name: found for name, found in roles.items() if found} == {}
    named = "methods.corruptions.coarse_noise.coarse_noise"
    assert f"api/detectors.html#{named}" in read(site / "reference" / "methods.html").links


@needs_browser
def test_a_site_that_is_opened_from_disk_is_searched_without_a_server(site):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    asked, troubles = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto((site / "reference" / "api" / "metrics.html").as_uri())
        page.focus(".md-search__input")
        page.keyboard.type("modality dropout")
        found = page.wait_for_selector(".md-search-result__link", timeout=120_000)
        assert found.get_attribute("href").startswith(site.as_uri())
        browser.close()
    assert troubles == []
    assert [url for url in asked if not url.startswith("file:")] == []
