"""The page on a phone, on paper, and for those who do not see it."""

import pytest
from support.browser import needs_browser, opened, until

pytestmark = needs_browser


def test_axe_finds_nothing_even_where_everything_is_open(browser, site):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe here")
    with opened(browser, site / "page.html") as page:
        page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
        page.wait_for_selector("#view0:visible")
        for width, scheme in ((1280, "light"), (1280, "dark"), (390, "dark"), (390, "light")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            page.evaluate("bench.drawAll(); bench.byId('choices').open = true")
            until(page, "document.querySelectorAll('table.values').length > 8")
            found = axe.Axe().run(page).response["violations"]
            assert [
                (one["id"], one["impact"], one["nodes"][0]["html"][:200]) for one in found
            ] == []


def test_on_a_phone_each_row_is_a_card_that_names_its_figures(browser, site):
    with opened(browser, site / "page.html", width=390) as page:
        row = page.locator("#ranking article[data-table='0'] table.first tbody tr").first
        assert row.evaluate("(row) => row.scrollWidth <= row.clientWidth")
        for cell in row.locator("td").all():
            assert cell.evaluate("(cell) => getComputedStyle(cell, '::before').content.length > 2")
        for limits in row.locator(".limits").all():  # no interval is broken
            assert limits.evaluate("(one) => one.getClientRects().length") == 1


def test_a_phone_scrolls_in_one_direction_and_all_figures_can_be_drawn(browser, site):
    with opened(browser, site / "page.html", width=375) as page:
        page.wait_for_selector("#view0:visible")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.evaluate("bench.drawAll()")
            assert page.evaluate("document.documentElement.scrollWidth") == 375
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
        page.emulate_media(color_scheme="light")
        page.locator("#theme").click()
        page.locator("#theme").click()
        assert page.locator("#theme").inner_text() == "Theme: dark"
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground != "rgb(255, 255, 255)"


BROKEN = """() => {
    const found = [];
    for (const part of document.querySelectorAll("#ranking .result, #ranking .short, #ranking table.first td, #thumbs button")) {
        const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            for (const word of walker.currentNode.data.matchAll(/\\S+/g)) {
                const range = document.createRange();
                range.setStart(walker.currentNode, word.index);
                range.setEnd(walker.currentNode, word.index + word[0].length);
                if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) found.push(word[0]);
            }
        }
    }
    return found;
}"""


def test_on_a_phone_choices_are_one_line_that_opens_and_no_word_is_broken(browser, site):
    with opened(browser, site / "page.html", width=390) as page:
        line = page.locator("#chosen")
        assert line.bounding_box()["height"] < 48
        assert line.inner_text().startswith("Shown: phantom, val-dice, region brain")
        assert not page.locator("#controls").is_visible()
        assert page.evaluate(BROKEN) == []
        line.click()
        page.select_option("#pick-point", "yen")
        assert line.inner_text().startswith("Shown: phantom, yen")
    with opened(browser, site / "page.html") as page:
        assert page.locator("#controls").is_visible()
        assert not page.locator("#chosen").is_visible()


def test_a_line_that_has_the_focus_is_not_below_a_head_that_stays(browser, site):
    with opened(browser, site / "page.html") as page:
        page.evaluate("bench.drawAll()")
        page.locator("[data-figure='strip'] details.values summary").click()
        table = page.locator("[data-figure='strip'] table.values")
        place = page.locator("[data-figure='strip'] .scroll")
        place.evaluate(
            "(one) => { one.style.maxHeight = '160px'; one.scrollTop = one.scrollHeight; }"
        )
        table.locator("tbody tr").last.locator("button").first.focus()
        for _ in range(11):
            page.keyboard.press("ArrowUp")
            head = table.locator("thead th").nth(2).bounding_box()
            line = page.locator(":focus").bounding_box()
            assert line["y"] >= head["y"] + head["height"] - 1


def test_paper_has_the_choices_as_a_sentence_every_figure_and_nothing_cut_off(browser, site):
    with opened(browser, site / "page.html", scheme="dark") as page:
        page.select_option("#pick-point", "val-fpr5")
        page.evaluate(
            "window.addEventListener('beforeprint', () => { window.printed = document.querySelectorAll('.plot .main-svg').length; })"
        )
        assert page.pdf(format="A4")[:4] == b"%PDF"
        assert page.evaluate("window.printed") >= page.locator("#cards article").count()
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 703, "height": 1000})  # A4 between its margins
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.locator("#chosen").inner_text() == (
            "Shown: phantom, val-fpr5, region brain, one row a method, its pipeline chosen on validation"
        )
        assert not page.locator("#controls").is_visible()
        assert not page.locator("#view-tools").is_visible()
        assert (
            page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        )
        for figure in page.locator("#cards article").all():
            assert figure.locator(".main-svg").first.is_visible()
            assert figure.locator(".main-svg").first.bounding_box()["width"] <= 690
        wide = page.evaluate(
            """[...document.querySelectorAll("main *")].filter((one) => one.offsetParent && !one.closest(".plot, .hidden") && one.getBoundingClientRect().right > 704)
                .map((one) => one.outerHTML.slice(0, 120))"""
        )
        assert wide == []
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen")
        assert page.evaluate("document.documentElement.dataset.theme") is None
