"""The viewer in a browser: the map is cut where it was measured, and two methods move as one."""

import re

import numpy as np
from support.browser import needs_browser, opened, until
from support.page_records import THRESHOLDS, scene

pytestmark = needs_browser


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
        page.locator("#view-tools button[data-point='val-fpr1']").click()
        expected = dice_at(THRESHOLDS["val-fpr1"], "S000", 0.7)
        assert f"Dice at this threshold {expected:.3f}." in text.inner_text()
        slider = page.locator("#view-threshold")
        before = slider.get_attribute("aria-valuetext")
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") != before
        page.keyboard.press("End")
        assert "detected 0.00 ml" in text.inner_text()
        page.keyboard.press("Home")
        assert "below all scores" in slider.get_attribute("aria-valuetext")
        assert "missed (FN) 0.00 ml" in text.inner_text()
        page.select_option("#pick-point", "oracle")
        assert f"{dice_at(THRESHOLDS['oracle'], 'S000', 0.7):.3f}." in text.inner_text()


def pixels(page, name):
    return page.evaluate(f"document.getElementById('view0-{name}').toDataURL()")


def test_keys_pointer_and_slider_move_through_the_planes(browser, site):
    with opened(browser, site / "page.html") as page:
        page.wait_for_selector("#view0:visible")
        here = page.locator("#view0-here")

        def voxel():
            return tuple(int(part) for part in here.get_attribute("data-voxel").split(", "))

        (x, y, z), drawn = voxel(), pixels(page, "axial")
        axial = page.locator("#view0-axial")
        axial.focus()
        page.keyboard.press("ArrowRight")
        assert voxel() == (x + 1, y, z)
        page.keyboard.press("ArrowDown")
        assert voxel() == (x + 1, y + 1, z)
        page.keyboard.press("PageUp")
        assert voxel() == (x + 1, y + 1, z + 1)
        assert pixels(page, "axial") != drawn
        page.locator("#view0-coronal").focus()
        page.keyboard.press("ArrowUp")  # up in a coronal plane is towards the top of the head
        assert voxel() == (x + 1, y + 1, z + 2)
        axial.click(position={"x": 5, "y": 5})
        assert "outside the brain" in here.inner_text()
        page.locator("#slice-sagittal").fill("9")
        assert voxel()[0] != x + 1
        assert "slice" in axial.get_attribute("aria-label")


def test_places_are_told_in_millimetres_from_the_middle_of_the_brain(browser, site):
    inside = np.argwhere(scene("S000", 0.7)["brain"])
    middle = (inside.min(axis=0) + inside.max(axis=0)) / 2
    with opened(browser, site / "page.html") as page:
        page.wait_for_selector("#view0:visible")
        here = page.locator("#view0-here")
        voxel = np.array([int(part) for part in here.get_attribute("data-voxel").split(", ")])
        expected = []
        for mm, (below, above) in zip(
            (voxel - middle) * (4, 4, 3), ("RL", "AP", "IS"), strict=True
        ):
            side = f"{below}/{above}" if round(mm) == 0 else above if mm > 0 else below
            expected.append(
                f"{side} {abs(np.floor(mm + 0.5)):.0f}"
            )  # halves as JavaScript has them
        assert here.inner_text().startswith(
            f"{', '.join(expected)} mm from the middle of the brain"
        )


TP, FP, FN = (0, 190, 130), (240, 120, 30), (86, 180, 255)


def test_found_missed_and_falsely_marked_voxels_have_colours_of_their_own(browser, site):
    found = scene("S000", 0.7)
    marked = (found["median5"] > np.float32(0.5)) & found["brain"]
    counts = [marked & found["lesion"], marked & ~found["lesion"], ~marked & found["lesion"]]
    with opened(browser, site / "page.html") as page:
        page.wait_for_selector("#view0:visible")
        page.locator("#view-opacity").fill("100")
        z = int(page.locator("#view0-here").get_attribute("data-voxel").split(", ")[2])
        shades = page.evaluate(
            """() => {
                const canvas = document.getElementById("view0-axial");
                const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                const found = {};
                for (let k = 0; k < data.length; k += 4) { const key = `${data[k]},${data[k + 1]},${data[k + 2]}`; found[key] = (found[key] || 0) + 1; }
                return found;
            }"""
        )
        areas = np.array([shades.get(",".join(map(str, shade)), 0) for shade in (TP, FP, FN)])
        voxels = np.array([part[:, :, z].sum() for part in counts])
        assert np.allclose(areas / areas.sum(), voxels / voxels.sum(), atol=0.05)
        said = page.locator("#view0-overall").inner_text()
        for name, part in zip(
            ("found (TP)", "false alarm (FP)", "missed (FN)"), counts, strict=True
        ):
            assert f"{name} {part.sum() * 48 / 1000:.2f} ml" in said
        page.select_option("#view-mode", "none")
        assert page.locator("#view-key").inner_text() == ""


def test_modality_seed_window_and_interpolation_are_chosen_and_stand_in_the_address(browser, site):
    with opened(browser, site / "page.html") as page:
        page.wait_for_selector("#view0:visible")
        drawn = {pixels(page, "axial")}
        for act, name, value in (
            ("select", "modality", "t1"),
            ("select", "seed", "1"),
            ("select", "window", "bright"),
            ("check", "smooth", ""),
            ("select", "mode", "none"),
        ):
            if act == "check":
                page.check(f"#view-{name}")
            else:
                page.select_option(f"#view-{name}", value)
            until(page, "bench.views[0].data !== null")
            if name == "seed":
                assert "seed 1" in page.locator("#view0 h3").inner_text()
                continue  # the scan is the same
            drawn.add(pixels(page, "axial"))
        assert len(drawn) == 5
        said = page.evaluate("location.hash")
        assert said == "#modality=t1&seed=1&window=bright&colours=none&smooth=1"
        last = pixels(page, "axial")
    with opened(browser, site / "page.html", fragment=said) as page:
        page.wait_for_selector("#view0:visible")
        assert page.locator("#view-modality").input_value() == "t1"
        assert page.locator("#view-smooth").is_checked()
        assert pixels(page, "axial") == last


def test_subjects_without_a_preview_say_so_and_thumbnails_are_chosen_by_rule(browser, site):
    with opened(browser, site / "page.html") as page:
        page.wait_for_selector("#view0:visible")
        gone = page.locator("#view-subject optgroup[label='no preview kept'] option")
        assert gone.count() == 9
        page.select_option("#view-subject", gone.first.get_attribute("value"))
        assert "No preview of S003 was kept" in page.locator("#view-note").inner_text()
        assert not page.locator("#view0").is_visible()
        assert "no preview" in page.locator("#subject-table tbody tr").nth(3).inner_text()
        rows = page.evaluate("bench.table().rows.map((row) => row.subjects['dice@val-dice'])")
        cards = page.locator("#thumbs article")
        assert cards.count() == 3
        for values, card in zip(rows, cards.all(), strict=True):
            order = sorted(range(12), key=lambda k: -values[k])
            seen = [k for k in order if k < 3]  # who has a preview
            middle = min(seen, key=lambda k: abs(order.index(k) - 5.5))
            expected = [("best", seen[0]), ("median", middle), ("worst", seen[-1])]
            expected = [
                one for k, one in enumerate(expected) if one[1] not in [o for _, o in expected[:k]]
            ]
            assert [text.split("\n") for text in card.locator("button").all_inner_texts()] == [
                [f"{name} {values[k]:.3f}", f"S{k:03d}", f"{order.index(k) + 1} of 12"]
                for name, k in expected
            ]
        cards.first.scroll_into_view_if_needed()
        page.wait_for_selector("#thumbs .thumb.drawn")
        cards.nth(1).locator("button").last.click()
        page.wait_for_selector("#view0:visible")
        assert page.evaluate("bench.state.row") == 1


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
        page.select_option("#view-modality", "expected (flair)")
        until(page, "bench.views[0].data !== null && bench.views[1].data !== null")
        heads = [page.locator(f"#view{k} h3").inner_text() for k in (0, 1)]
        instead = "flair is shown, expected (flair) is not kept"
        assert [instead in head for head in heads] == [False, True]
        page.locator("#view1-axial").focus()
        page.keyboard.press("PageUp")
        where = [page.locator(f"#view{k}-here").get_attribute("data-voxel") for k in (0, 1)]
        assert where[0] == where[1]
        left, right = page.evaluate(
            "[0, 1].map((k) => document.getElementById(`view${k}-axial`).getBoundingClientRect().toJSON())"
        )
        assert [left[key] for key in ("y", "width", "height")] == [
            right[key] for key in ("y", "width", "height")
        ]
        assert left["right"] < right["left"]  # side by side
        assert page.locator("#view-tools input[type='range']").count() == 5  # once for both
        page.locator("#view-threshold").fill("60")  # the same share of both maps: 1 %
        for k in (0, 1):
            said = page.locator(f"#view{k}-overall").inner_text()
            marked, brain = re.search(r"detected ([\d.]+) ml of (\d+) ml", said).groups()
            assert float(marked) <= 0.0105 * float(brain)
        page.evaluate("bench.openSubject(0, 5)")
        assert "No preview of S005 was kept" in page.locator("#view-note").inner_text()
        assert not page.locator("#view0").is_visible()


def test_an_address_with_a_subject_opens_it_and_one_with_a_run_unfolds_it(browser, site):
    with opened(browser, site / "page.html", fragment="#view=0.2.1") as page:
        page.wait_for_selector("#view0:visible")
        assert "S001" in page.locator("#view0 h3").inner_text()
    with opened(browser, site / "page.html") as page:
        link = page.locator("#ranking article[data-table='0'] tbody a").first
        link.click()
        assert page.locator(f"{link.get_attribute('href')}[open]").count() == 1


def test_the_folder_form_fetches_its_previews_from_beside_it_alone(browser, site):
    with opened(browser, site / "folder" / "index.html") as page:
        page.wait_for_selector("#view0:visible")
        assert "S000" in page.locator("#view0 h3").inner_text()
