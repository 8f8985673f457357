"""Lower bounds are told to pip exactly, for every dependency; what is tested with them is there."""

from packaging.requirements import Requirement
from support.places import ROOT

from scripts.licences import needed
from scripts.lowest import TESTS, pins


def test_every_dependency_is_pinned_to_its_lower_bound():
    found = [Requirement(one) for one in pins()]
    assert [one.name for one in found] == needed()
    assert all(str(one.specifier).startswith("==") for one in found)
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for one in found:
        version = str(one.specifier).removeprefix("==")
        assert f'"{one.name}>={version}' in text


def test_what_is_tested_exists():
    assert [place for place in TESTS if not (ROOT / place).exists()] == []
