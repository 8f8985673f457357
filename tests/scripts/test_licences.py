"""docs/licences.md says what the installed packages declare, and where those with conditions are used."""

import re
from importlib.metadata import PackageNotFoundError

import pytest
from support.places import ROOT

from scripts.licences import (
    BEGIN,
    COPYLEFT,
    EXTRAS,
    PAGE,
    canonical,
    closure,
    declared,
    extras_table,
    needed,
    optional,
    rows_of,
    table,
)
from scripts.marked_place import parts

PACKAGES = ("andi_bench", "benchmark", "datasets", "leaderboard", "methods")


def test_the_table_is_what_the_packages_declare():
    assert parts(PAGE, BEGIN)[1] == table()


def test_every_package_of_an_extra_has_its_line():
    found = parts(PAGE, EXTRAS)[1]
    assert {"submitit", "lpips", "mkdocs-material"} <= set(optional())
    assert found == extras_table(rows_of(found))
    assert all(rows_of(found).values())


def test_a_package_without_a_line_is_not_passed_over():
    with pytest.raises(PackageNotFoundError):
        extras_table({})


def test_every_package_that_is_needed_has_a_licence():
    assert [name for name in needed() if declared(name) == "not declared"] == []


def test_what_a_copyleft_licence_asks_is_said():
    text = parts(PAGE, BEGIN)[2]
    found = {name for name in closure() if COPYLEFT.search(declared(name))}
    mozilla = {name for name in found if re.search("Mozilla|MPL", declared(name))}
    assert {"medpy", "connected-components-3d"} <= found
    assert [name for name in found - mozilla if f"**{name} (" not in text] == []


@pytest.mark.parametrize(
    ("package", "users"),
    [
        ("medpy", {"benchmark/conformance/metric_references.py"}),
        (
            "cc3d",
            {
                "andi_bench/metrics/lesionwise.py",
                "datasets/scans/brain.py",
                "datasets/scans/foreground.py",
            },
        ),
    ],
)
def test_packages_with_conditions_are_used_where_the_page_says(package, users):
    files = [path for top in PACKAGES for path in (ROOT / top).rglob("*.py")]
    pattern = re.compile(rf"^\s*(from|import) {package}\b", re.M)
    found = {p.relative_to(ROOT).as_posix() for p in files if pattern.search(p.read_text("utf-8"))}
    assert found == users


@pytest.mark.parametrize("text", ["GPL-3.0-only", "LGPL-3.0-or-later", "MPL-2.0 AND MIT"])
def test_copyleft_is_told_from_other_licences(text):
    assert COPYLEFT.search(text)
    assert not COPYLEFT.search("BSD-3-Clause AND 0BSD AND MIT AND Zlib")
    assert canonical("Foo_Bar.baz") == "foo-bar-baz"
