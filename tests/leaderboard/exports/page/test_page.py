"""The page without a browser: one file that needs nothing, says everything, and runs nothing of a record's."""

import base64
import hashlib
import json
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest
from support.page_records import CHAINS, THRESHOLDS, add_preview, drawn_histograms, scene, write_run
from support.places import ROOT
from support.synthetic_records import Size, write_benchmark

from andi_bench.records.previews import read_preview
from leaderboard.compare import compare
from leaderboard.exports.page import render
from leaderboard.exports.page.content import page_content
from leaderboard.exports.page.images import collect_images
from leaderboard.exports.page.render import embedded_json, write_page
from leaderboard.words.run_facts import plain

HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "<!--<script>",
    "\"'><svg onload=window.hacked=1>",
    "a\u2028b\u2029c",
    "javascript:window.hacked=1",
    "<a href='https://example.org'>link</a>",
    "{{ 7 * 7 }}{% raw %}",
    "__proto__",
    "\u202eturned around",
)
HALF = "half a pair \ud800"


class Elements(HTMLParser):
    """Elements with attributes, in order; what scripts hold apart."""

    def __init__(self):
        super().__init__()
        self.found, self.scripts, self._open = [], [], None

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append([dict(attrs), ""])
            self._open = self.scripts[-1]

    def handle_data(self, data):
        if self._open is not None:
            self._open[1] += data

    def handle_endtag(self, tag):
        if tag == "script":
            self._open = None


def parsed(text):
    elements = Elements()
    elements.feed(text)
    return elements


def content_of(elements):
    """Return the page's data as its scripts see them: rows of the tables filled in from what their views share."""
    (found,) = [text for attrs, text in elements.scripts if attrs.get("id") == "content"]
    return filled_in(json.loads(found))


def filled_in(content):
    for table in content["tables"]:
        base = content["bases"][table["base"]]
        rows = [{**base["rows"][row["of"]], **row} for row in table["rows"]]
        table |= {**base, "every": base["rows"], "rows": rows}
    return content


@pytest.fixture
def records(tmp_path):
    folder = tmp_path / "records"
    subjects = [f"S{k:03d}" for k in range(12)]
    histograms = drawn_histograms(subjects)
    for method, skill in (("andi", 0.7), ("dae", 0.6)):
        for seed in (0, 1):
            write_run(
                folder,
                method,
                seed=seed,
                skill=skill,
                histograms=histograms,
                previews=subjects[:3] if seed == 0 else (),
            )
    return folder


def page_of(records, tmp_path, name="page.html"):
    target = tmp_path / name
    assert write_page(target, compare(records)) == ""
    return target.read_text(encoding="utf-8")


def test_the_page_is_one_file_that_names_no_server_and_allows_its_own_scripts_alone(
    records, tmp_path
):
    text = page_of(records, tmp_path)
    elements = parsed(text)
    for tag, attrs in elements.found:
        assert tag not in {"iframe", "object", "embed", "base", "link", "img"}
        assert not {
            name for name in attrs if name in {"src", "srcset", "style"} or name.startswith("on")
        }
        if "href" in attrs:
            assert attrs["href"].startswith("#")
    (policy,) = [
        attrs["content"]
        for _, attrs in elements.found
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    scripts = [content for attrs, content in elements.scripts if "type" not in attrs]
    hashes = {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts
    }
    assert set(re.findall(r"sha256-([^']+)", policy)) == hashes
    assert {attrs.get("type") for attrs, _ in elements.scripts} == {
        None,
        "application/json",
        "text/plain",
    }


def test_every_row_has_its_numbers_its_definition_and_its_origin(records, tmp_path):
    text = page_of(records, tmp_path)
    comparison = compare(records)
    (table,) = comparison.tables
    content = content_of(parsed(text))
    assert [table["view"] for table in content["tables"]] == ["validated", "raw", "filtered"]
    shown = content["tables"][0]
    assert [row["rank"] for row in shown["rows"]] == [row.rank for row in table.rows]
    for row, found in zip(table.rows, shown["rows"], strict=True):
        mean = row.figures["dice@val-dice"].value
        assert found["estimates"]["dice@val-dice"][0] == pytest.approx(mean, rel=1e-4)
        assert np.mean(found["subjects"]["dice@val-dice"]) == pytest.approx(mean, abs=1e-3)
        assert [content["runs"][k]["folder"] for k in found["runs"]] == [
            run.run.folder_name for run in row.runs
        ]
        recall = found["curve"]["recall"]
        assert recall == sorted(recall)
        assert recall[-1] == 1
    for column in shown["columns"]:
        assert f"<dt>{column['header']}</dt>" in text.replace("&#34;", '"')
    assert text.count('<details class="run"') == 4
    for run in content["runs"]:
        assert run["folder"] in text


def test_the_same_records_give_the_same_bytes_wherever_they_lie(records, tmp_path):
    first = page_of(records, tmp_path, "a.html")
    moved = tmp_path / "elsewhere" / "records"
    moved.parent.mkdir()
    records.rename(moved)
    assert page_of(moved, tmp_path, "b.html") == first


def test_a_hostile_record_stays_text(tmp_path):
    folder = tmp_path / "records"
    for k, text in enumerate(HOSTILE):
        write_run(
            folder,
            f"m{k}",
            label=text,
            subjects=[*HOSTILE[:k], "S000"],
            site=text,
            notes=(text,),
            unranked=text,
            provenance={"command": text, "system": text, "packages": {text: text}},
            config={text: {text: text}},
            previews=["S000"],
            guards=({"name": text, "passed": False, "detail": text},),
        )
    add_preview(next(folder.iterdir()), "<b>name</b>", 0.5)
    text = page_of(folder, tmp_path)
    elements = parsed(text)
    clean = parsed(page_of_clean(tmp_path))
    assert {tag for tag, _ in elements.found} <= {tag for tag, _ in clean.found} | {
        "details",
        "summary",
    }
    plain_scripts = [body for attrs, body in elements.scripts if "type" not in attrs]
    assert plain_scripts == [body for attrs, body in clean.scripts if "type" not in attrs]
    for _, attrs in elements.found:
        assert not {name for name in attrs if name.startswith("on")}
    (data,) = [body for attrs, body in elements.scripts if attrs.get("id") == "content"]
    assert not set(data) & set("<>&\u2028\u2029")
    labels = {row["label"] for base in json.loads(data)["bases"] for row in base["rows"]}
    assert labels == {plain(text) for text in HOSTILE}
    assert "{{ 7 * 7 }}{% raw %}" in labels  # no template of a record's is filled in
    assert "49" not in labels
    assert "\u202e" not in text


def page_of_clean(tmp_path):
    folder = tmp_path / "clean"
    write_run(folder, "clean", previews=["S000"], notes=("a note",))
    return page_of(folder, tmp_path, "clean.html")


@pytest.mark.parametrize("text", [*HOSTILE, HALF])
def test_embedded_json_cannot_end_its_element_and_says_the_same(text):
    found = embedded_json({text: [text, 1.5, None]})
    assert not set(found) & set("<>&\u2028\u2029")
    assert json.loads(found) == {text: [text, 1.5, None]}


def test_previews_are_packed_so_that_the_page_holds_each_scan_once(records):
    images = collect_images(compare(records), None)
    assert images.found == images.kept == 6
    assert len(images.scans) == 3  # three subjects, seen by two methods
    (folder,) = [name for name in images.shown if name.startswith("andi")]
    entry = images.shown[folder]["S001"]
    found = scene("S001", 0.7)
    shown = read_preview(records / folder / "previews" / "S001.npz")
    for chain in CHAINS:
        packed = zlib.decompress(base64.b64decode(images.blobs[entry["maps"][chain]["blob"]]))
        count = entry["maps"][chain]["edges"]
        edges = np.frombuffer(packed[: 4 * count], "<f4")
        codes = np.frombuffer(packed[4 * count :], np.uint8).reshape(shown.scan.shape)
        k = int(np.flatnonzero(edges == np.float32(THRESHOLDS["val-dice"]))[0])
        cut = tuple(slice(o, o + n) for o, n in zip(shown.origin, shown.scan.shape, strict=True))
        assert np.array_equal(codes > k, ((found[chain] > np.float32(0.5)) & found["brain"])[cut])


def test_what_does_not_fit_is_left_out_in_an_order_that_keeps_methods_side_by_side(
    records, monkeypatch, tmp_path
):
    comparison = compare(records)
    whole = collect_images(comparison, None)
    some = collect_images(comparison, whole.bytes * 2 // 3)
    assert 0 < some.bytes <= whole.bytes * 2 // 3
    assert set(some.blobs) < set(whole.blobs)
    andi, dae = (set(some.shown[name]) for name in sorted(some.shown))
    assert "S000" in andi & dae
    monkeypatch.setattr(
        render, "LARGEST", len(page_of(records, tmp_path)) - whole.bytes // 3 + 200_000
    )
    left = write_page(tmp_path / "small.html", comparison)
    assert re.fullmatch(r"\d of 6 previews did not fit", left)
    assert "previews fit into one file" in (tmp_path / "small.html").read_text()


def test_a_folder_holds_the_previews_beside_the_page_and_no_stranger_is_overwritten(
    records, tmp_path, cli
):
    target = tmp_path / "site"
    assert cli("compare", "--records", records, "--html", target).code == 0
    names = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    images = collect_images(compare(records), None)
    assert names == {"index.html", *(f"previews/{name}.js" for name in images.blobs)}
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    (target / "previews" / ("0" * 20 + ".js")).write_text("of an older page")
    (target / "previews" / "mine.js").write_text("somebody's")
    assert cli("compare", "--records", records, "--html", target).code == 0
    assert {
        p: p.read_bytes() for p in target.rglob("*") if p.name != "mine.js" and p.is_file()
    } == before
    assert (target / "previews" / "mine.js").is_file()

    other = tmp_path / "home"
    other.mkdir()
    (other / "index.html").write_text("<title>my home page</title>")
    refused = cli("compare", "--records", records, "--html", other)
    assert refused.code == 2
    assert "not a leaderboard's page" in refused.err
    assert (other / "index.html").read_text() == "<title>my home page</title>"


def test_a_broken_preview_is_named_and_the_page_is_still_made(records, tmp_path):
    (folder,) = records.glob("andi__*seed0*")
    (folder / "previews" / "S000.npz").write_bytes(b"no archive")
    left = write_page(tmp_path / "page.html", compare(records))
    assert "S000.npz: not a preview" in left
    content = content_of(parsed((tmp_path / "page.html").read_text()))
    assert set(content["previews"][folder.name]) == {"S001", "S002"}


def test_records_without_previews_or_histograms_make_a_page_that_says_so(tmp_path):
    folder = tmp_path / "records"
    write_run(folder, "andi")
    text = page_of(folder, tmp_path)
    assert "hold no previews" in text
    assert content_of(parsed(text))["tables"][0]["rows"][0]["curve"] is None


def test_what_cannot_be_seen_or_written_is_a_blank():
    assert plain(HALF) == "half a pair  "
    assert plain("a\u202eb\x1b[31m\n") == "a b [31m "


def test_cells_are_sorted_by_their_values_not_by_their_text(records):
    comparison = compare(records)
    (table,), shown = comparison.tables, page_content(comparison)["tables"][0]
    heads = [column["header"] for column in shown["columns"]]
    for row, line in zip(table.rows, shown["rows"], strict=True):
        cells = dict(zip(heads, line["cells"], strict=True))
        assert cells["Dice@val-dice"]["value"] == row.figures["dice@val-dice"].value
        assert cells["(oracle, gap)"]["value"] == row.figures["dice@oracle"].value
        assert cells["Training (s / steps)"] == {"text": "300 / 700", "value": 300.0}
        assert cells["#"]["value"] == row.rank
        assert cells["Method"]["value"] is None
        for cell in line["cells"]:
            assert cell["text"] != "–" or cell["value"] is None


def test_a_subject_without_a_value_in_one_seed_has_none(tmp_path):
    folder = tmp_path / "records"
    write_run(folder, "andi", seed=0, subjects=["A", "B"])
    write_run(folder, "andi", seed=1, subjects=["A"])
    table = filled_in(page_content(compare(folder)))["tables"][0]
    assert table["subjects"] == ["A", "B"]
    assert table["rows"][0]["subjects"]["dice@val-dice"][0] is not None
    assert table["rows"][0]["subjects"]["dice@val-dice"][1] is None


def test_the_page_says_what_the_differences_are_worth(tmp_path):
    folder = tmp_path / "records"
    subjects = [f"S{k:03d}" for k in range(40)]
    for method, skill in (("good", 0.75), ("poor", 0.3), ("worse", 0.25)):
        write_run(folder, method, skill=skill, subjects=subjects)
    comparison = compare(folder)
    content = page_content(comparison)
    table = content["tables"][0]
    names = [(row["label"], row["chain"]) for row in table["rows"]]
    assert {names[place] for place in table["statistics"]["best"]} == {("good", "median5")}
    family = comparison.statistics[0].family
    shown = table["statistics"]["family"]
    for test, found in zip(family.tests, shown["tests"], strict=True):
        assert (names[found["first"]], names[found["second"]]) == (test.first, test.second)
        assert found["p"] == pytest.approx(test.adjusted, rel=1e-3)
        assert (found["better"] is None) == (test.better is None)
    text = page_of(folder, tmp_path)
    # in each view one in the first table, one in that of all columns
    assert text.count('class="best"') == 6
    assert text.count("Bold: in Dice@val-dice significantly better") == 3
    assert len(re.findall(r'class="number tested" data-points="val-dice"', text)) == 9
    assert f'<p class="result">{table["result"]}.</p>' in text
    assert "good is better than both others" in table["result"]
    for sentence in shown["sentences"]:
        assert sentence in text.replace("&#39;", "'").replace("&lt;", "<")


def test_sub_groups_stand_below_the_ranking_where_they_were_asked_for(tmp_path, cli):
    folder = tmp_path / "records"
    write_run(
        folder,
        "andi",
        groups={"sex": ({"name": "f<b>", "subjects": ("S000", "S001"), "results": {}},)},
    )
    answer = cli("compare", "--records", folder, "--by", "sex", "--html", tmp_path / "page.html")
    assert answer.code == 0, answer.err
    text = (tmp_path / "page.html").read_text()
    assert "<h3>By sex</h3>" in text
    assert "<td>f&lt;b&gt;</td>" in text


def test_making_a_page_loads_no_package_for_volumes_or_training(records, tmp_path):
    code = (
        "import sys; from benchmark.door import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code\n"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "compare",
            "--records",
            records,
            "--html",
            tmp_path / "page.html",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (tmp_path / "page.html").is_file(), done.stderr
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "plotly" in loaded
    assert not loaded & {"torch", "nilearn", "nibabel", "SimpleITK", "matplotlib", "sklearn"}


def test_subjects_without_a_lesion_bring_what_is_falsely_detected_in_them(tmp_path):
    write_benchmark(tmp_path, Size(2, 18, 1, 2, 2_000))
    write_run(tmp_path / "others", "andi")
    for folder, known in ((tmp_path, True), (tmp_path / "others", False)):
        (base,) = page_content(compare(folder))["bases"]
        for row in base["rows"]:
            found = [value is not None for value in row["false_ml"]]
            assert found == ([ml == 0 for ml in base["lesion_ml"]] if known else [])
