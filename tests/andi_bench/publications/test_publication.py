"""What a publication must say, and which words mean it."""

import pytest

from andi_bench.config import names_in, read_yaml, validated
from andi_bench.errors import UserError
from andi_bench.place import package_data
from andi_bench.publications.publication import Cited, Publication

FACTS = {"authors": ["Doe, Jane"], "title": "On lesions", "year": 2024}


@pytest.mark.parametrize("key", names_in("publications"))
def test_every_file_holds_a_publication_that_can_be_found(key):
    path = package_data("configs") / "publications" / f"{key}.yaml"
    one = validated(Publication, read_yaml(path), str(path))
    assert one.address or one.kind == "software"
    names = [name for name in one.authors if not name.startswith("{")]
    assert all(name.count(",") == 1 for name in names)
    assert key == "andi-bench" or key.endswith(f"-{one.year}")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"year": 24}, "year = 24"),
        ({"authors": []}, "authors"),
        ({"doi": "doi.org/10.1"}, "doi"),
        ({"arxiv": "arXiv 2312.01904"}, "arxiv"),
        ({"kind": "article"}, "venue wanted"),
        ({"journal": "Radiology"}, "journal"),
    ],
)
def test_a_publication_that_cannot_be_cited_is_refused_by_the_field(wrong, said):
    with pytest.raises(UserError, match=said):
        validated(Publication, FACTS | wrong, "paper.yaml")


def test_the_address_is_the_most_lasting_one():
    number, page = {"arxiv": "2312.01904"}, {"url": "https://example.org/p"}
    assert Publication(**FACTS).address == ""
    assert Publication(**FACTS | page).address == "https://example.org/p"
    assert Publication(**FACTS | page | number).address == "https://arxiv.org/abs/2312.01904"
    found = Publication(**FACTS | page | number | {"doi": "10.1000/Ab.1"})
    assert found.address == "https://doi.org/10.1000/Ab.1"


def test_words_mean_a_publication_by_number_address_or_title():
    one = Publication(**FACTS, arxiv="2312.01904", doi="10.1000/ab")
    for text in ("Doe, arXiv 2312.01904", "DOI 10.1000/AB", "Doe et al., On Lesions, 2025"):
        assert one.is_meant_by(text)
    assert not one.is_meant_by("Doe et al., Another paper, arXiv 2312.01905")


def test_a_method_names_publications_by_key_or_gives_their_facts():
    named = Cited.model_validate({"publications": ["frotscher-2023", FACTS]})
    assert named.publications == ("frotscher-2023", Publication(**FACTS))
