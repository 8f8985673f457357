"""What is cited for runs: of every method and data set something, and what the record's words mean, nothing else."""

import pytest

from andi_bench.config import dataset_entry, method_entry, names_in
from andi_bench.errors import UserError
from andi_bench.publications.publication import Publication
from andi_bench.records.store import read_record
from leaderboard.words.citing.citations import (
    all_citations,
    citation_key,
    citations_of,
    cited,
    known_publication,
    publication,
)


@pytest.mark.parametrize("name", names_in("methods"))
def test_a_method_with_a_paper_names_its_publication_and_both_mean_one(name):
    entry = method_entry(name)
    assert bool(entry.paper) == bool(entry.publications)
    if entry.paper:
        (key, one), *_ = cited(entry.publications).items()
        assert one.is_meant_by(entry.paper)
        assert one.title.lower().replace(":", " -") in entry.paper.lower().replace(":", " -")
        assert one.authors[0].split(",")[0] == entry.paper.split(" et al.")[0]
        assert known_publication(name, entry.paper) == (key, one)


@pytest.mark.parametrize("name", names_in("datasets"))
def test_a_data_set_that_is_to_be_cited_names_its_publications(name):
    entry = dataset_entry(name)
    named = cited(entry.publications).values()
    assert bool(entry.citation) == bool(named)
    families = [one.authors[0].split(",")[0] for one in named]
    assert all(family in entry.citation for family in families)


def test_everything_that_can_be_cited_is_cited_by_somebody():
    assert {one.key for one in all_citations()} == set(names_in("publications"))
    assert all_citations()[0].key == "andi-bench"


def test_runs_are_cited_by_the_suite_their_methods_and_their_data(make_run, records_dir):
    andi = method_entry("andi").paper
    for method, paper in {
        "andi": andi,
        "other": "Doe et al., On lesions, 2024",
        "mine": "",
    }.items():
        make_run(method, 0.5, publication=paper)
    records = [read_record(path) for path in sorted(records_dir.iterdir())]
    found, without = citations_of(records)
    keys = {one.key: one for one in found}
    assert found[0].key == "andi-bench"
    assert keys["frotscher-2023"].of == ("method andi",)
    (words,) = (one for one in found if one.publication is None)
    assert words.text == "Doe et al., On lesions, 2024"
    assert "method mine" in without


def test_a_plug_in_of_a_known_name_is_not_cited_by_the_others_paper(make_run, records_dir):
    make_run("andi", 0.5, publication="Doe et al., Another method, arXiv 2501.00001")
    found, _ = citations_of([read_record(path) for path in records_dir.iterdir()])
    assert "frotscher-2023" not in {one.key for one in found}


def test_facts_in_a_methods_own_file_get_a_key_of_author_and_year():
    facts = Publication(authors=("Müller-Şahin, Jo",), title="On lesions", year=2024)
    assert cited([facts]) == {"muller-sahin-2024": facts}
    assert citation_key("脳", None) == "paper"


def test_an_unknown_key_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="frotscher-2023"):
        publication("frotscher-2022")
