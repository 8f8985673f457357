"""A bibliography that BibTeX reads: braces balanced, kinds known, fields where styles look for them."""

import re

import pytest
import yaml
from support.places import ROOT

from andi_bench import __version__
from andi_bench.config import names_in
from andi_bench.publications.publication import Publication
from leaderboard.exports.bibtex import publication_entry
from leaderboard.words.citing.citations import publication


@pytest.mark.parametrize("key", names_in("publications"))
def test_every_publication_is_an_entry_of_plain_bibtex(key):
    text = publication_entry(key, publication(key))
    assert text.startswith(("@article{", "@inproceedings{", "@misc{"))
    assert text.isascii()
    assert text.count("{") == text.count("}")
    fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", text, re.M))
    assert len(fields) == text.count("\n") - 2
    assert {"author", "title", "year"} < set(fields)
    assert {"journal", "booktitle", "howpublished"} & set(fields)


def test_the_suite_is_cited_with_the_version_that_runs():
    assert f"version {__version__}" in publication_entry("andi-bench", publication("andi-bench"))


def test_marks_and_accents_reach_the_page_as_they_are():
    one = Publication(
        authors=("Špiclin, Žiga", "{The A & B group}"), others=True, title="50% more", year=2020
    )
    text = publication_entry("x", one)
    assert r"author = {\v{S}piclin, \v{Z}iga and {The A \& B group} and others}" in text
    assert r"title = {{50\% more}}" in text


def test_the_citation_file_names_the_suite_and_the_paper_as_the_bibliography_does():
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    suite, andi = publication("andi-bench"), publication("frotscher-2023")
    assert (found["title"], found["version"]) == (suite.title, __version__)
    assert [f"{{{one['name']}}}" for one in found["authors"]] == list(suite.authors)
    (reference,) = found["references"]
    assert (reference["title"], reference["year"]) == (andi.title, andi.year)
    names = [f"{one['family-names']}, {one['given-names']}" for one in reference["authors"]]
    assert names == list(andi.authors)
    assert reference["identifiers"][0]["value"] == f"arXiv:{andi.arxiv}"


def test_the_citation_file_is_valid_against_its_schema():
    cff = pytest.importorskip(
        "cffconvert", reason="cffconvert is not installed: pip install cffconvert"
    )
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    cff.Citation(text).validate()
