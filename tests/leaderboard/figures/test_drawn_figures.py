"""Figures: all there, the same bytes every time, safe against names, light until asked for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.small_previews import leave_previews
from support.synthetic_records import Size, write_benchmark

from andi_bench.errors import UserError
from leaderboard.compare import compare
from leaderboard.figures import FIGURES, write_figures
from leaderboard.figures.style import PALETTE, Looks, short


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> tuple[Path, Path]:
    records = tmp_path_factory.mktemp("board") / "records"
    write_benchmark(records, Size(3, 24, 1, 2, 2_000), dataset="Made up/../<b>")
    for record in records.iterdir():
        leave_previews(record, ["S0001", "S0002", "S0003"])
    out = records.parent / "figures"
    write_figures(compare(records), out)
    return records, out


def test_every_figure_is_there_as_svg_and_png_under_a_plain_name(drawn):
    _, out = drawn
    wanted = {f"made-up-..-b-{name}.{kind}" for name in FIGURES for kind in ("svg", "png")}
    assert {path.name for path in out.iterdir()} == wanted
    for path in out.glob("*.png"):
        assert path.read_bytes()[:4] == b"\x89PNG"
        assert path.stat().st_size > 10_000


QUICK = ("groups", "rank-blobs", "examples")  # drawn from sets, from resamples, in many panels


@pytest.mark.parametrize(
    "names", [QUICK, pytest.param(tuple(FIGURES), marks=pytest.mark.slow)], ids=["quick", "all"]
)
def test_the_same_records_give_the_same_bytes_in_another_process(drawn, tmp_path, names):
    records, out = drawn
    code = (
        "import sys; from pathlib import Path\n"
        "from leaderboard.compare import compare; from leaderboard.figures import FIGURES, write_figures\n"
        "for name in set(FIGURES) - set(sys.argv[3:]): del FIGURES[name]\n"
        "write_figures(compare(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", code, str(records), str(tmp_path), *names], check=True)
    again = sorted(tmp_path.iterdir())
    assert len(again) == 2 * len(names)
    for path in again:
        assert path.read_bytes() == (out / path.name).read_bytes(), path.name


def test_no_date_no_version_and_no_script_in_an_svg(drawn):
    _, out = drawn
    for path in out.glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert "<dc:date>" not in text
        assert "Matplotlib v" not in text
        assert "<script" not in text
        assert not re.search(r"(href|src)=\"https?://(?!.*(w3|creativecommons))", text)


def test_colours_and_marks_tell_a_dozen_methods_apart():
    labels = [f"m{k}" for k in range(12)]
    looks = Looks(labels)
    seen = {(looks.color(label), looks.mark(label), looks.line(label)) for label in labels}
    assert len(seen) == 12
    assert "#F0E442" not in PALETTE  # yellow vanishes on white
    assert looks.color("m0") == Looks(["m0"]).color("m0")


def test_a_label_is_cut_and_cannot_steer_anything():
    assert short("x" * 40) == "x" * 23 + "…"
    assert short("a\x1b[2Jb\n") == "a [2Jb "


def test_tables_without_ranked_rows_or_histograms_leave_figures_out(
    make_run, records_dir, tmp_path
):
    make_run("a", 0.5, unranked="shown only")
    assert write_figures(compare(records_dir), tmp_path / "none") == []
    make_run("b", 0.5)
    names = {path.stem for path in write_figures(compare(records_dir), tmp_path / "some")}
    assert names == {
        f"phantom-{name}"
        for name in ("dice-subjects", "thresholds", "cost-accuracy", "raw-filtered")
    }


def test_an_unwritable_folder_is_named(make_run, records_dir, tmp_path):
    make_run("a", 0.5)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_figures(compare(records_dir), tmp_path / "file" / "figures")
