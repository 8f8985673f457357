"""Documents as GitHub shows them become pages: links, boxes, lists."""

import pytest

from scripts.site.markdown import for_site, with_references

PLACES = {
    "docs/a.md": "a.md",
    "leaderboard/b.md": "leaderboard/b.md",
    "CHANGELOG.md": "changelog.md",
}


def page(text, source="docs/a.md", at="a.md"):
    return for_site(text, source, PLACES.get, at)


@pytest.mark.parametrize(
    ("link", "source", "at", "wanted"),
    [
        ("[x](../leaderboard/b.md#top)", "docs/a.md", "a.md", "[x](leaderboard/b.md#top)"),
        ("[x](../docs/a.md)", "leaderboard/b.md", "leaderboard/b.md", "[x](../a.md)"),
        ("[x](CHANGELOG.md)", "CONTRIBUTING.md", "contributing.md", "[x](changelog.md)"),
        ("[`x.py`](../benchmark/x.py)", "docs/a.md", "a.md", "`x.py`"),
        ("[x](https://example.org)", "docs/a.md", "a.md", "[x](https://example.org)"),
        ("[x](#below)", "docs/a.md", "a.md", "[x](#below)"),
        (
            "![Dice [0, 1]](../leaderboard/b.md)",
            "docs/a.md",
            "a.md",
            "![Dice [0, 1]](leaderboard/b.md)",
        ),
    ],
)
def test_a_link_leads_to_the_page_or_becomes_its_text(link, source, at, wanted):
    assert page(link, source, at) == wanted


def test_code_is_left_alone():
    text = "```\n[x](../leaderboard/b.md)\nwords\n- no list\n```\n"
    assert page(text) == text


def test_a_list_below_a_paragraph_gets_the_line_that_it_needs():
    assert page("words:\n- one\n- two\n") == "words:\n\n- one\n- two\n"
    assert page("- one\n  more\n- two\n") == "- one\n  more\n- two\n"
    assert page("- one\n  - inner\n") == "- one\n    - inner\n"


def test_a_warning_becomes_a_box():
    assert page("> [!WARNING]\n> - one\n> - two\n\nafter\n") == (
        "!!! warning\n\n    - one\n    - two\n\nafter\n"
    )


def test_a_fence_that_names_its_file_shows_the_name():
    assert page("```python file=methods/x.py\ncode\n```\n") == (
        '```python title="methods/x.py"\ncode\n```\n'
    )
    assert page("```python\ncode\n```\n") == "```python\ncode\n```\n"


def test_references_of_docstrings_become_code_that_may_be_a_link():
    html = "<p>See :func:<code>a.b.c</code>, :class:<code>~a.b.D</code>; <code>x:y</code>.</p>"
    assert with_references(html) == (
        '<p>See <autoref identifier="a.b.c" optional><code>a.b.c</code></autoref>, '
        '<autoref identifier="a.b.D" optional><code>D</code></autoref>; <code>x:y</code>.</p>'
    )
