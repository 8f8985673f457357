"""LaTeX that compiles and fits, whatever methods are called, and cannot be made to say something else."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.synthetic_records import Size, write_benchmark

from andi_bench.errors import UserError
from leaderboard.compare import compare
from leaderboard.exports.latex import to_latex, write_latex
from leaderboard.exports.latex_text import breakable, escaped

NASTY = (
    r"A&B_50% \input{/etc/passwd} #1 {x} $y$ ~ ^ <b> | “é” ≤ \end{document} 脳 [z]",
    "with \"quotes\" and 'more' `of` them",
    r"}}{{ \\ \begin{tabular} \end{tabular}",
    "*starred*",
    "[bracketed]",
    "{unbalanced",
    "%comment",
    "ÀÉîñöůżŁßæ ð þ đ ŋ ĳ ſ ę 3×3 µ° ½",
    "a" * 90,
    "\u202eright to left\u200b",
    "-.5",
    "&",
)


@pytest.fixture
def nasty(make_run, records_dir):
    """Twelve methods of names that mean something to LaTeX, their papers too."""
    for place, name in enumerate(NASTY):
        own = [0.3 + place / 50 + k / 30 for k in range(6)]
        make_run(
            f"m{place}",
            {"raw": own, "median5": own},
            label=name,
            publication=f"{name} et al., {name}, arXiv 2312.0190{place % 10}",
            notes=("100 % & more_",),
        )
    return compare(records_dir)


@pytest.fixture
def written(nasty, tmp_path):
    path = tmp_path / "table.tex"
    write_latex(nasty, path)
    return path


def lines_of(text):
    """Return of every tabular its number of columns and its lines, cells split where LaTeX splits them."""
    found = re.findall(r"\\begin\{tabular\}\{(.*)\}\n\\toprule\n(.*?)\\bottomrule", text, re.S)
    for align, body in found:
        kinds = re.sub(r"\[[^\]]*\]|>\{[^}]*\}|p\{[^}]*\}|@\{\}", "", align)
        rows = [line for line in body.splitlines() if not line.startswith(r"\midrule")]
        yield len(kinds) + align.count("p{"), [re.split(r"(?<!\\)&", row) for row in rows]


def test_every_line_has_as_many_cells_as_the_head(nasty):
    text = to_latex(nasty)
    tables = list(lines_of(text))
    assert len(tables) == 1
    for columns, rows in tables:
        assert {len(row) for row in rows} == {columns}
        assert all(re.search(r" \\\\(\[2pt\])?$", row[-1]) for row in rows)
    assert r"\hline" not in text
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 1


def test_a_name_with_marks_of_latex_stays_a_name(written):
    for text in (written.read_text(), written.with_suffix(".bib").read_text()):
        body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
        assert r"\input" not in body
        assert r"\end{document}" not in body
        assert '"' not in re.sub(r'\\"\{', "", body)
        assert body.isascii()
    assert r"A\&B\_50\% \textbackslash{}input\textbraceleft{}/etc/passwd\textbraceright{} \#1" in (
        written.read_text().replace(r"\allowbreak{}", "")
    )
    assert escaped("a–b") == "a--b"
    assert escaped("é î ů ß 脳") == r"\'{e} \^{\i} \r{u} \ss{} U+8133"
    assert escaped("x\x1b[2J\ny") == "xU+001B{[}2J y"


@given(st.text(max_size=60))
@settings(deadline=None)
def test_whatever_the_text_its_braces_are_balanced_and_nothing_active_is_left(text):
    for out in (escaped(text), breakable(text)):
        assert out.isascii()
        depth = 0
        for mark in out:  # no brace is escaped, so BibTeX counts them all
            depth += {"{": 1, "}": -1}.get(mark, 0)
            assert depth >= 0
        assert depth == 0
        bare = re.sub(r"\\[#$%&_]|\\[`'^~=.\"](?=\{)|\\[a-zA-Z]+", "", out)
        bare = re.sub(r"\$\^?\$", "", bare)
        assert not set(bare) & set('#%&_~\\"\n')


def test_numbers_are_those_of_the_table_and_stand_in_columns_of_siunitx(nasty):
    (table,) = nasty.tables
    ((_, rows),) = lines_of(to_latex(nasty))
    first = rows[1::2]
    assert len(first) == len(table.rows)
    for cells, row in zip(first, table.rows, strict=True):
        assert f"{row.figures['dice@val-dice'].value:.3f}" in cells[2]
        difference = cells[3].strip()
        assert difference == "{best}" or re.fullmatch(r"[+-]\d\.\d{3}", difference)
    assert "S[table-format=1.3" in to_latex(nasty)


def test_papers_are_listed_once_and_cited_by_all_who_share_them(make_run, records_dir, tmp_path):
    shared = "Doe et al., Autoencoders, a study, arXiv 2401.00001"
    known = "Kascenas et al., Denoising Autoencoders, https://proceedings.mlr.press/v172/kascenas22a.html"
    papers = {"ae": shared, "vae": shared, "dae": known, "mine": "Me, 2026", "other": ""}
    for method, paper in papers.items():
        make_run(method, 0.5 + len(method) / 10, publication=paper)
    said = write_latex(compare(records_dir), tmp_path / "board.tex")
    text, bib = (tmp_path / "board.tex").read_text(), (tmp_path / "board.bib").read_text()
    assert said == f"{tmp_path / 'board.tex'}, publications in {tmp_path / 'board.bib'}"
    assert re.findall(r"@\w+\{(.*),", bib) == re.findall(r"\\cite\{(.*?)\}", text)
    assert bib.count("@") == 3
    for words in (
        "author = {Doe and others}",
        "title = {{Autoencoders, a study}}",
        "howpublished = {arXiv 2401.00001}",
        "eprint = {2401.00001}",
        "title = {{Me, 2026}}",
        "@inproceedings{kascenas-2022,\n  author = {Kascenas, Antanas and ",  # its facts are known
    ):
        assert words in bib
    assert re.search(r"(ae, vae|vae, ae)~\\cite\{doe\}", text)
    with pytest.raises(UserError, match="becomes the bibliography"):
        write_latex(compare(records_dir), tmp_path / "board.bib")


def siunitx_is_here():
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        return False
    found = subprocess.run(["kpsewhich", "siunitx.sty", "booktabs.sty"], capture_output=True)
    return len(found.stdout.splitlines()) == 2


def compiled(folder):
    """Compile ``table.tex`` within a text of 345 pt, the narrowest that is usual; return what LaTeX complains of."""
    document = (
        r"\documentclass{article}\usepackage{booktabs,siunitx}\begin{document}\input{table}"
        r"\bibliographystyle{plain}\bibliography{table}\end{document}"
    )
    (folder / "doc.tex").write_text(document)
    tex = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "doc.tex"]
    for command in (tex, ["bibtex", "doc"], tex):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "doc.pdf").stat().st_size > 10_000
    return [line for line in done.stdout.splitlines() if line.startswith(("Overfull", "!"))]


@pytest.mark.skipif(not siunitx_is_here(), reason="no pdflatex with booktabs and siunitx here")
def test_it_compiles_whatever_methods_are_called(written):
    compiled(written.parent)


@pytest.mark.skipif(not siunitx_is_here(), reason="no pdflatex with booktabs and siunitx here")
def test_twelve_methods_fit_a_text_width(tmp_path):
    write_benchmark(
        tmp_path / "r", Size(methods=12, subjects=27, seeds=2, validation=4, voxels=600)
    )
    write_latex(compare(tmp_path / "r"), tmp_path / "table.tex")
    assert compiled(tmp_path) == []
