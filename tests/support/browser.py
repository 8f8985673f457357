"""A page in a browser: opened from disk, and held to fetching nothing and complaining of nothing."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def until(page, expression):
    """Wait until an expression is true; the page's own policy forbids that it be asked from within."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")


@contextmanager
def opened(browser, path, *, width=1200, scheme="light", fragment=""):
    """Open a page from disk; fail for whatever it complains of or asks for."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(
        120_000
    )  # a machine that is busy with other work is slow, not wrong
    page = context.new_page()
    troubles, requests = [], []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri() + fragment)
    page.wait_for_function("bench.state.listeners.length > 0")
    yield page
    context.close()
    assert troubles == []
    assert {url for url in requests if not url.startswith(("data:", "blob:", "file:"))} == set()
    if path.name != "index.html":
        assert [url.partition("#")[0] for url in requests if url.startswith("file:")] == [
            path.as_uri()
        ]
