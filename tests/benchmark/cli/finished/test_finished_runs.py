"""Commands about finished runs: cited, shown and published from a published record, where no workspace is."""

import json
import re

import pytest
from support.places import ROOT

from benchmark.cli.finished.cite import cite
from benchmark.cli.finished.publish import RESULTS, publish
from benchmark.cli.finished.show import show
from benchmark.cli.shared.every_command import switch_tracebacks, tracebacks
from leaderboard.exports.bibtex import cited_bibliography
from leaderboard.words.citing.citations import all_citations


def test_the_command_prints_what_a_published_run_rests_on(cli, tmp_path):
    run = next((ROOT / "leaderboard" / "results" / "phantom-ms").glob("andi__*"))
    answer = cli("cite", run)
    assert answer.code == 0
    assert re.findall(r"@\w+\{(.*),", answer.out) == [
        "andi-bench",
        "frotscher-2023",
        "fonov-2011",
        "collins-1999",
    ]
    assert "% data set phantom-ms; data set phantom" in answer.out
    assert cli("cite", run, "--output", tmp_path / "refs.bib").code == 0
    assert (tmp_path / "refs.bib").read_text() == answer.out


def test_without_a_run_everything_is_cited(cli):
    assert cli("cite").out == cited_bibliography(all_citations())


def test_what_has_no_known_publication_is_said(cli):
    run = next((ROOT / "leaderboard" / "results" / "brats21-pilot").glob("ae__*"))
    assert "not known     a publication of data set brats21-pilot" in cli("cite", run).err


def test_a_run_that_is_not_there_is_one_line(cli, tmp_path):
    answer = cli("cite", "andi", "--records", tmp_path / "none")
    assert answer.code == 2
    assert "no such folder of run records" in answer.err


def test_a_published_run_is_shown_as_json(cli):
    run = next((ROOT / RESULTS / "phantom-ms").glob("andi__*"))
    assert json.loads(cli("show", run, "--json").out)


@pytest.mark.parametrize("command", [cite, publish, show])
def test_each_says_in_a_line_what_it_does(command):
    assert command.__doc__.splitlines()[0].endswith(".")


def test_debug_is_remembered_until_it_is_switched_off():
    assert switch_tracebacks(True)
    assert tracebacks()
    assert not switch_tracebacks(False)
    assert not tracebacks()
