"""LaTeX that compiles and cannot be made to say something else."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from leaderboard.compare import compare
from leaderboard.exports.latex import escaped, to_latex

NASTY = r"A&B_50% \input{/etc/passwd} #1 {x} $y$ ~ ^ <b> | “é” ≤ \end{document} 脳 [z]"


@pytest.fixture
def text(make_run, records_dir):
    make_run("evil", {"raw": [0.5, 0.6, 0.7], "median5": [0.5, 0.6, 0.7]}, label=NASTY)
    make_run("b", {"raw": [0.4, 0.5, 0.65], "median5": [0.4, 0.5, 0.65]}, notes=("100 % & more_",))
    make_run("c", 0.2, unranked="shown # only", protocol={"subjects": {"val": 6, "test": 3}})
    return to_latex(compare(records_dir))


def test_tables_are_booktabs_and_every_line_has_as_many_cells_as_the_head(text):
    bodies = re.findall(r"\\begin\{tabular\}\{([lr]+)\}\n\\toprule\n(.*?)\\bottomrule", text, re.S)
    assert len(bodies) == 1 + 1  # the leaderboard, and the ranks
    for align, body in bodies:
        lines = [line for line in body.splitlines() if line != r"\midrule"]
        for line in lines:
            assert line.endswith(r" \\")
            assert len(re.split(r"(?<!\\)&", line)) == len(align)
    assert r"\hline" not in text
    assert "|" not in "".join(align for align, _ in bodies)


def test_a_name_with_marks_of_latex_stays_a_name(text):
    assert r"\input" not in text
    assert text.count(r"\end{document}") == 0
    assert r"A\&B\_50\% \textbackslash{}input\{/etc/passwd\} \#1" in text
    assert "U+8133" in text
    assert escaped("a–b") == "a--b"
    assert escaped("x\x1b[2J\ny") == "xU+001B{[}2J y"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_it_compiles(text, tmp_path):
    (tmp_path / "table.tex").write_text(text, encoding="utf-8")
    document = (
        r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{table}\end{document}"
    )
    (tmp_path / "doc.tex").write_text(document)
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "doc.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "doc.pdf").stat().st_size > 10_000
