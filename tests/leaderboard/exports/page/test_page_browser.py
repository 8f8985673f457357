"""The page in a browser, as a person uses it: nothing fetched, nothing complained of, nothing of a record's run."""

import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from support.page_records import THRESHOLDS, drawn_histograms, scene, write_run
from test_page import HOSTILE

from leaderboard.compare import compare
from leaderboard.exports.page.render import write_page

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SUBJECTS = [f"S{k:03d}" for k in range(12)]
SKILLS = {"andi": 0.7, "dae": 0.6, "ae": 0.3}


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield found
        found.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A page of three methods, one with two seeds, on two regions; six previews."""
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
                previews=SUBJECTS[:2] if seed == 0 else (),
                seconds=skill,
            )
    write_run(root / "records", "andi", region="all", skill=0.65, subjects=SUBJECTS)
    comparison = compare(root / "records")
    write_page(root / "page.html", comparison)
    write_page(root / "folder", comparison)
    return root


@contextmanager
def opened(browser, path, *, width=1200, scheme="light", fragment=""):
    """Open a page from disk; fail for whatever it complains of or asks for."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
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


def column(page, name, place=0):
    """Texts of the visible rows of the table of all columns, in a column."""
    page.evaluate("document.querySelectorAll('details.more').forEach((part) => (part.open = true))")
    board = f"#ranking article[data-table='{place}'] table.board"
    heads = page.locator(f"{board} th").all_inner_texts()
    index = [head.strip().split("\n")[0].rstrip("↕↑↓ ") for head in heads].index(name)
    return [
        row.locator("td").nth(index).inner_text()
        for row in page.locator(f"{board} tbody tr").all()
        if row.is_visible()
    ]


def test_heads_sort_up_down_and_back_with_the_keyboard_too(browser, site):
    with opened(browser, site / "page.html") as page:
        ranks = column(page, "#")
        assert ranks == [str(k) for k in range(1, 4)]
        board = "#ranking article[data-table='0'] table.board"
        head = page.locator(f"{board} th button", has_text="s/volume")
        head.focus()
        page.keyboard.press("Enter")
        falling = [float(text) for text in column(page, "s/volume")]
        assert falling == sorted(falling, reverse=True)
        assert page.locator("th[aria-sort='descending']").count() == 1
        page.keyboard.press("Enter")
        assert [float(text) for text in column(page, "s/volume")] == sorted(falling)
        page.keyboard.press("Enter")
        assert column(page, "#") == ranks
        page.locator(f"{board} th button", has_text="Method").click()
        names = column(page, "Method")
        assert names == sorted(names)


def test_rows_are_chosen_by_pipeline_region_operating_point_and_name(browser, site):
    with opened(browser, site / "page.html") as page:
        page.select_option("#pick-pipeline", "1")
        assert set(column(page, "Pipeline", 1)) == {"raw"}
        assert page.locator("article[data-table='1'] .count").first.inner_text() == "3 of 3 rows"
        page.fill("#pick-method", "da")
        assert column(page, "Method", 1) == ["dae"]
        page.fill("#pick-method", "")
        page.select_option("#pick-pipeline", "0")
        page.select_option("#pick-point", "val-fpr5")
        shown = column(page, "Dice@val-fpr5")
        assert "Dice@val-dice" not in [
            head.inner_text()
            for head in page.locator("article[data-table='0'] th").all()
            if head.is_visible()
        ]
        assert len(shown) == 3
        assert "The rank is by Dice@val-dice" in page.locator("#point-means").inner_text()
        page.select_option("#pick-region", "all")
        assert page.locator("#ranking article[data-table='3']").is_visible()
        assert not page.locator("#ranking article[data-table='0']").is_visible()
        assert "not comparable" in page.locator("#ranking article[data-table='3']").inner_text()


def test_the_first_table_answers_at_once_and_the_others_open(browser, site):
    with opened(browser, site / "page.html") as page:
        article = page.locator("#ranking article[data-table='0']")
        first, more = article.locator("table.first"), article.locator("details.more")
        heads = [text.split("\n")[0] for text in first.locator("th").all_inner_texts()]
        assert heads[:4] == ["Group", "Method", "Dice@val-dice", "Difference to the best"]
        assert all("n = 12" in first.locator("th").nth(place).inner_text() for place in (2, 3, 4))
        assert first.locator("svg.share").count() == 3
        assert not more.locator("table").is_visible()
        seconds = first.locator("th button", has_text="s/volume")
        seconds.click()
        shown = [float(text) for text in first.locator("td:last-child").all_inner_texts()]
        assert shown == sorted(shown, reverse=True)
        page.fill("#pick-method", "da")
        assert [row.is_visible() for row in first.locator("tbody tr").all()].count(True) == 1
        page.fill("#pick-method", "nobody")
        assert "No method's name contains" in article.locator(".count").inner_text()
        page.evaluate("bench.drawAll()")
        assert "No lesion volumes are recorded" not in page.locator("#cards").inner_text()
        assert "No method's name contains" in page.locator("#cards").inner_text()
        page.fill("#pick-method", "")
        page.select_option("#pick-point", "yen")
        assert more.locator("table").is_visible()


def test_figures_have_names_before_they_are_drawn_and_are_saved_without_a_menu(browser, site):
    with opened(browser, site / "page.html") as page:
        names = page.locator("#cards h3").all_inner_texts()
        assert len(names) > 8
        assert all(names)
        page.evaluate("bench.drawAll()")
        assert page.locator(".modebar-btn").count() == 0
        with page.expect_download() as found:
            page.locator("[data-figure='strip'] button", has_text="Save as PNG").click()
        assert found.value.suggested_filename == "phantom-strip.png"
        assert found.value.path().read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_even_where_everything_is_open(browser, site, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe here")
    with opened(browser, site / "page.html", width=width, scheme=scheme) as page:
        page.evaluate("bench.drawAll()")
        page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
        page.wait_for_selector("#view0:visible")
        found = axe.Axe().run(page).response["violations"]
        assert [(one["id"], one["impact"], one["nodes"][0]["html"][:200]) for one in found] == []


def test_on_a_phone_each_row_is_a_card_that_names_its_figures(browser, site):
    with opened(browser, site / "page.html", width=390) as page:
        row = page.locator("#ranking article[data-table='0'] table.first tbody tr").first
        assert row.evaluate("(row) => row.scrollWidth <= row.clientWidth")
        for cell in row.locator("td").all():
            assert cell.evaluate("(cell) => getComputedStyle(cell, '::before').content.length > 2")
        for limits in row.locator(".limits").all():  # no interval is broken
            assert limits.evaluate("(one) => one.getClientRects().length") == 1


def dice_at(threshold, subject, skill):
    found = scene(subject, skill)
    marked = (found["median5"] > np.float32(threshold)) & found["brain"]
    lesion = found["lesion"]
    return 2 * (marked & lesion).sum() / (marked.sum() + lesion.sum())


def test_the_threshold_slider_cuts_the_map_where_it_says(browser, site):
    with opened(browser, site / "page.html") as page:
        page.wait_for_selector("#view0:visible")
        text = page.locator("#view0-overall")
        assert f"Dice at this threshold {dice_at(0.5, 'S000', 0.7):.3f}." in text.inner_text()
        page.locator("#view0 .points button[data-point='val-fpr1']").click()
        expected = dice_at(THRESHOLDS["val-fpr1"], "S000", 0.7)
        assert f"Dice at this threshold {expected:.3f}." in text.inner_text()
        slider = page.locator("#view0-threshold")
        before = slider.get_attribute("aria-valuetext")
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") != before
        page.keyboard.press("End")
        assert "Detected 0.00 ml" in text.inner_text()
        page.keyboard.press("Home")
        assert "below all scores" in slider.get_attribute("aria-valuetext")
        page.select_option("#pick-point", "oracle")
        assert f"{dice_at(THRESHOLDS['oracle'], 'S000', 0.7):.3f}." in text.inner_text()


def pixels(page, name):
    return page.evaluate(f"document.getElementById('view0-{name}').toDataURL()")


def test_keys_pointer_and_slider_move_through_the_planes(browser, site):
    with opened(browser, site / "page.html") as page:
        page.wait_for_selector("#view0:visible")
        here = page.locator("#view0-here")
        start, drawn = here.inner_text(), pixels(page, "axial")
        x, y, z = (int(part) for part in start.removeprefix("Voxel ").split(":")[0].split(", "))
        axial = page.locator("#view0-axial")
        axial.focus()
        page.keyboard.press("ArrowRight")
        assert here.inner_text().startswith(f"Voxel {x + 1}, {y}, {z}:")
        page.keyboard.press("ArrowDown")
        assert here.inner_text().startswith(f"Voxel {x + 1}, {y + 1}, {z}:")
        page.keyboard.press("PageUp")
        assert here.inner_text().startswith(f"Voxel {x + 1}, {y + 1}, {z + 1}:")
        assert pixels(page, "axial") != drawn
        page.locator("#view0-coronal").focus()
        page.keyboard.press("ArrowUp")  # up in a coronal plane is towards the top of the head
        assert here.inner_text().startswith(f"Voxel {x + 1}, {y + 1}, {z + 2}:")
        axial.click(position={"x": 5, "y": 5})
        assert "outside the brain" in here.inner_text()
        page.locator("#view0-slice-sagittal").fill("9")
        assert here.inner_text().split(",")[0] != f"Voxel {x + 1}"
        page.locator("#view0-lesion").uncheck()
        page.select_option("#view0-mode", "none")
        assert "slice" in axial.get_attribute("aria-label")


def test_a_point_in_a_figure_opens_that_subject_and_another_method_stands_beside(browser, site):
    with opened(browser, site / "page.html") as page:
        page.locator("[data-figure='strip']").scroll_into_view_if_needed()
        page.wait_for_selector("#plot-strip .scatterlayer .point")
        page.evaluate(
            "document.getElementById('plot-strip').emit('plotly_click', {points: [{customdata: [1, 1]}]})"
        )
        assert page.evaluate("location.hash") == "#view=0.1.1"
        page.wait_for_function("document.querySelector('#view0 h3').textContent.includes('S001')")
        assert page.locator("#view-row").input_value() == "1"
        assert page.locator("#subject-table tr.chosen td").first.inner_text() == "S001"
        row = page.evaluate("bench.table().every.findIndex((row) => row.label === 'ae')")
        page.select_option("#view-other", str(row))
        page.wait_for_selector("#view1:visible")
        page.locator("#view0-axial").focus()
        page.keyboard.press("PageUp")
        where = [page.locator(f"#view{k}-here").inner_text().split(":")[0] for k in (0, 1)]
        assert where[0] == where[1]
        page.evaluate("bench.openSubject(0, 5)")
        assert "No preview of S005" in page.locator("#view-note").inner_text()
        assert not page.locator("#view0").is_visible()


def test_a_real_click_on_a_point_is_noticed(browser, site):
    with opened(browser, site / "page.html") as page:
        page.locator("[data-figure='pair']").scroll_into_view_if_needed()
        page.wait_for_selector("#plot-pair .scatterlayer .point")
        point = page.locator("#plot-pair .scatterlayer .trace").nth(1).locator(".point").first
        box = point.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_timeout(150)
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_function("location.hash.startsWith('#view=')")


def test_an_address_with_a_subject_opens_it_and_one_with_a_run_unfolds_it(browser, site):
    with opened(browser, site / "page.html", fragment="#view=0.2.1") as page:
        page.wait_for_selector("#view0:visible")
        assert "S001" in page.locator("#view0 h3").inner_text()
    with opened(browser, site / "page.html") as page:
        link = page.locator("#ranking article[data-table='0'] tbody a").first
        link.click()
        assert page.locator(f"{link.get_attribute('href')}[open]").count() == 1


def test_the_address_says_what_is_shown_and_a_link_shows_it(browser, site):
    with opened(browser, site / "page.html") as page:
        assert page.evaluate("location.hash") == ""
        page.select_option("#pick-pipeline", "1")
        page.select_option("#pick-point", "yen")
        page.fill("#pick-method", "da & ü")
        page.check("#pick-columns")
        said = page.evaluate("location.hash")
        assert said == "#table=1&point=yen&method=da%20%26%20%C3%BC&columns=all"
    with opened(browser, site / "page.html", fragment=said) as page:
        assert page.locator("#ranking article[data-table='1']").is_visible()
        assert page.locator("#pick-point").input_value() == "yen"
        assert page.locator("#pick-method").input_value() == "da & ü"
        assert page.locator("#pick-columns").is_checked()
        assert (
            "No method's name contains"
            in page.locator("article[data-table='1'] .count").first.inner_text()
        )
        assert page.evaluate("location.hash") == said
    with opened(browser, site / "page.html", fragment="#view=0.1.1&point=oracle") as page:
        page.wait_for_selector("#view0:visible")
        assert "S001" in page.locator("#view0 h3").inner_text()
        assert page.locator("#pick-point").input_value() == "oracle"
        row = page.evaluate("bench.table().every.findIndex((row) => row.label === 'ae')")
        page.select_option("#view-other", str(row))
        beside = page.evaluate("location.hash")
        assert beside == f"#view=0.1.1&point=oracle&beside={row}"
    with opened(browser, site / "page.html", fragment=beside) as page:
        page.wait_for_selector("#view1:visible")
        assert page.locator("#view-other").input_value() == str(row)
    for nonsense in ("#table=99", "#view=0.0.999&point=__proto__", "#row=x&beside=__proto__"):
        with opened(browser, site / "page.html", fragment=nonsense) as page:
            assert page.locator("#ranking article[data-table='0']").is_visible()


def test_the_folder_form_fetches_its_previews_from_beside_it_alone(browser, site):
    with opened(browser, site / "folder" / "index.html") as page:
        page.wait_for_selector("#view0:visible")
        assert "S000" in page.locator("#view0 h3").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_in_one_direction_and_all_figures_can_be_drawn(browser, site, scheme):
    with opened(browser, site / "page.html", width=375, scheme=scheme) as page:
        page.evaluate("bench.drawAll()")
        page.wait_for_selector("#view0:visible")
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
        page.locator("#theme").click()
        page.locator("#theme").click()
        assert page.locator("#theme").inner_text() == "Theme: dark"
        assert (
            page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        )


def test_nothing_of_a_hostile_record_runs_or_becomes_an_element(browser, tmp_path):
    folder = tmp_path / "records"
    for k, text in enumerate(HOSTILE):
        write_run(
            folder,
            f"m{k}",
            label=text,
            subjects=[*HOSTILE, "S000"],
            site=text,
            notes=(text,),
            unranked=text,
            config={text: text},
            previews=["S000", "__proto__"],
        )
    write_page(tmp_path / "page.html", compare(folder))
    with opened(browser, tmp_path / "page.html") as page:
        page.evaluate("bench.drawAll()")
        page.wait_for_selector("#view0:visible")
        for row in range(4):
            for subject in range(len(HOSTILE) + 1):
                page.evaluate(f"bench.openSubject({row}, {subject})")
        page.evaluate("Plotly.Fx.hover('plot-strip', [{curveNumber: 0, pointNumber: 0}])")
        page.wait_for_timeout(200)
        assert page.evaluate("window.hacked") is None
        for tag in ("img", "main a[href^='http']", "svg a", "main script", "iframe"):
            assert page.locator(tag).count() == 0, tag
        assert page.locator("svg[onload]").count() == 0
        assert HOSTILE[1] in page.locator("#ranking").inner_text()
