"""The page in a browser, as a person uses it: nothing fetched, nothing complained of, nothing of a record's run."""

from support.browser import needs_browser, opened, until
from support.page_records import write_run
from test_page import HOSTILE

from leaderboard.compare import compare
from leaderboard.exports.page.render import write_page

pytestmark = needs_browser


def column(page, name, place=0):
    """Texts of the visible rows of the table of all columns, in a column."""
    page.evaluate("document.querySelectorAll('details.more').forEach((part) => (part.open = true))")
    board = f"#details article[data-table='{place}'] table.board"
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
        board = "#details article[data-table='0'] table.board"
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
        first = article.locator("table.first")
        more = page.locator("#details article[data-table='0'] details.more")
        heads = [text.split("\n")[0] for text in first.locator("th").all_inner_texts()]
        assert "0.88 GiB" in first.locator("td:last-child").first.inner_text()
        assert heads[:4] == ["Group", "Method", "Dice@val-dice", "Difference to the best"]
        assert all("n = 12" in first.locator("th").nth(place).inner_text() for place in (2, 3, 4))
        assert first.locator("svg.share").count() == 3
        assert not more.locator("table").is_visible()
        seconds = first.locator("th button", has_text="s/volume")
        seconds.click()
        cells = first.locator("td:last-child").all_inner_texts()
        shown = [float(text.split("\n")[0]) for text in cells]
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


def test_every_figure_tells_its_values_in_a_table_and_opens_its_points_with_the_keyboard(
    browser, site
):
    with opened(browser, site / "page.html") as page:
        page.evaluate("bench.drawAll()")
        figures = page.locator("#cards article.card")
        figures.locator("details.values").evaluate_all(
            "(all) => all.forEach((one) => (one.open = true))"
        )
        until(page, f"document.querySelectorAll('table.values').length === {figures.count()}")
        assert figures.locator("table.values").count() == figures.count()
        for figure in figures.all():
            assert figure.locator("table.values tbody tr").count() > 0, figure.inner_text()
            title = figure.locator("h3").inner_text()
            assert figure.locator("table.values caption").inner_text().startswith(title)
        strip = page.locator("[data-figure='strip'] table.values")
        values = page.evaluate(
            "bench.table().rows.map((row) => row.subjects['dice@val-dice'].map((one) => one.toFixed(3)))"
        )
        told = [
            [cell.inner_text() for cell in line.locator("td").all()[1:]]
            for line in strip.locator("tbody tr").all()
        ]
        assert told == [list(line) for line in zip(*values, strict=True)]
        assert strip.locator("button[tabindex='0']").count() == 1  # one stop, not 36
        strip.locator("button[tabindex='0']").focus()
        for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowLeft", "ArrowRight", "Enter"):
            page.keyboard.press(key)
        assert page.evaluate("location.hash") == "#view=0.1.2"
        page.locator("[data-figure='strip']").scroll_into_view_if_needed()
        page.select_option("#pick-point", "yen")  # what is told follows what is drawn
        until(
            page,
            "document.querySelector('[data-figure=strip] caption').textContent.startsWith('Dice@yen')",
        )


def test_lesions_found_rates_and_transfer_say_on_how_many_and_tell_what_they_draw(browser, site):
    with opened(browser, site / "page.html") as page:
        page.evaluate("bench.drawAll()")
        said = page.locator("#cards").inner_text()
        assert "n = 36 lesions of 12 subjects, in 12 scans." in said
        assert "from n = 6 validation subjects, measured on n = 12 test subjects." in said
        assert (
            "Methods that were tested on several data sets: 1, on phantom n = 12, zebras n = 12."
            in said
        )
        for name in ("froc", "rates", "transfer"):
            page.locator(f"[data-figure='{name}'] details.values summary").click()
        until(page, "document.querySelectorAll('table.values').length === 3")

        def lines(name):
            rows = page.locator(f"[data-figure='{name}'] table.values tbody tr").all()
            return [row.locator("th, td").all_inner_texts() for row in rows]

        skill = 0.7 + (0.08 if "median" in lines("froc")[0][0] else 0)
        reached = [f"{skill * steps / 6:.3f} [" for steps in (1, 1, 2, 4)]
        assert [cell[:7] for cell in lines("froc")[0][1:]] == reached
        assert [line[1:] for line in lines("rates")] == [["1.2 %", "4 %", "1 %", "0.8 %"]] * 3
        estimates = page.evaluate(
            "bench.content.crossed[0].lines[0].cells.map((cell) => cell[0].toFixed(3))"
        )
        ((_, _, origin, *cells),) = lines("transfer")
        assert origin == "each its own"
        assert [cell[:5] for cell in cells] == estimates
        page.locator("[data-figure='froc'] table.values button").first.click()
        assert page.evaluate("bench.state.row") == 0
        page.fill("#pick-method", "dae")  # tested on one data set alone
        page.evaluate("bench.drawAll()")
        transfer = page.locator("[data-figure='transfer']")
        assert (
            "None of these methods has a Dice at a frozen threshold on two" in transfer.inner_text()
        )
        assert not transfer.locator("details.values").is_visible()
        page.fill("#pick-method", "nobody")
        page.evaluate("bench.drawAll()")
        for name in ("froc", "rates", "transfer"):
            text = page.locator(f"[data-figure='{name}']").inner_text()
            assert 'No method\'s name contains "nobody"' in text


def test_no_two_of_24_methods_look_alike_and_few_curves_bear_their_names(browser, site):
    with opened(browser, site / "page.html") as page:
        looks = page.evaluate("Array.from({ length: 24 }, (_, place) => bench.looksOf(place))")
        for kind in ("dash", "symbol"):
            assert len({(look["color"], look[kind]) for look in looks}) == 24
        page.evaluate("bench.drawAll()")
        names = page.locator("#plot-recall .annotation-text").all_text_contents()
        assert sorted(names) == ["ae", "andi", "dae"]
        assert page.locator("#plot-recall .legend").count() == 0


def test_runs_are_those_of_the_data_set_that_is_chosen(browser, site):
    with opened(browser, site / "page.html") as page:
        runs = page.locator("#runs details.run")

        def shown():
            return [run.get_attribute("data-dataset") for run in runs.all() if run.is_visible()]

        assert shown() == ["phantom"] * 5
        page.select_option("#pick-dataset", "zebras")
        assert shown() == ["zebras"]
        assert page.locator("#runs-count").inner_text() == "1 of 6 runs: those on zebras"
        number = runs.last.get_attribute("id")
    with opened(browser, site / "page.html", fragment=f"#{number}") as page:
        assert page.locator(f"#{number}[open]").is_visible()
        assert page.locator("#pick-dataset").input_value() == "zebras"


def test_what_is_asked_first_is_answered_above_the_table(browser, site):
    with opened(browser, site / "page.html") as page:
        said = page.locator("#ranking article[data-table='0'] .short").inner_text()
        assert "12 subjects with a lesion" in said
        assert "frozen on those of 6 validation subjects who have a lesion" in said
        assert "thresholding has no rank in this table" in said
        assert "Not measured" in said
        assert "0.88 GiB" in said


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
    for nonsense in ("#table=99&row=x&beside=__proto__&seed=-1", "#view=0.0.999&point=__proto__"):
        with opened(browser, site / "page.html", fragment=nonsense) as page:
            assert page.locator("#ranking article[data-table='0']").is_visible()


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
