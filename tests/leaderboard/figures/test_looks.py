"""How methods look: each has its own colour with its own mark, in every figure of every data set."""

from __future__ import annotations

import pytest

from leaderboard.compare import compare
from leaderboard.figures.scene import looks_of
from leaderboard.figures.style import PALETTE, REFERENCE, Looks
from leaderboard.publishing.boards import board_names, read_board

BOARDS = [read_board(board) for board in board_names()]
REFERENCES = ["random", "rim-distance", "t2-intensity"]
PUBLISHED = sorted({name for board in BOARDS for name in board.methods} - {*REFERENCES})


def look(looks: Looks, label: str) -> tuple[str, str]:
    return looks.color(label), looks.mark(label)


def test_published_methods_and_references_are_told_apart_by_mark_and_by_line():
    looks = Looks([*PUBLISHED, *REFERENCES])
    assert len(PUBLISHED) >= 16
    for told in (looks.mark, looks.line):
        seen = {(looks.color(name), told(name)) for name in (*PUBLISHED, *REFERENCES)}
        assert len(seen) == len(PUBLISHED) + len(REFERENCES)
    assert {looks.color(name) for name in REFERENCES} == {REFERENCE}
    assert REFERENCE not in PALETTE


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_method_looks_the_same_whatever_else_is_drawn(name):
    alone = Looks([name])
    among = Looks([*reversed(PUBLISHED), "mine", "yours", *REFERENCES])
    assert look(alone, name) == look(among, name)
    assert alone.line(name) == among.line(name)


def test_methods_of_others_take_no_published_look_and_keep_theirs_among_others():
    strangers = [f"plug-in {k}" for k in range(40)]
    looks = Looks(strangers)
    taken = {look(Looks(PUBLISHED), name) for name in PUBLISHED}
    own = {look(looks, name) for name in strangers}
    assert len(own) == len(strangers)
    assert not own & taken
    assert look(Looks(["plug-in 0"]), "plug-in 0") == look(
        Looks([*PUBLISHED, "plug-in 0"]), "plug-in 0"
    )
    assert [look(Looks(reversed(strangers)), name) for name in strangers] == [
        look(looks, name) for name in strangers
    ]


def test_more_methods_than_there_are_looks_are_drawn_all_the_same():
    labels = [f"m{k}" for k in range(90)]
    looks = Looks(labels)
    assert all(looks.mark(label) and looks.line(label) for label in labels)


def test_a_method_that_is_called_otherwise_on_another_data_set_looks_the_same(
    make_run, records_dir
):
    make_run("vae", 0.5, dataset="one")
    make_run("vae", 0.5, label="vae (restoration)", dataset="two")
    make_run("mine", 0.4, dataset="two", label="mine, shorter")
    looks = looks_of(compare(records_dir).tables)
    assert look(looks, "vae (restoration)") == look(looks, "vae") == look(Looks(["vae"]), "vae")
    assert look(looks, "mine, shorter") == look(Looks(["mine"]), "mine")


def test_two_rows_of_one_method_in_a_table_are_told_apart(make_run, records_dir):
    make_run("vae", 0.5)
    make_run("vae", 0.6, label="vae (restoration)", config={"detector": {"restoration": True}})
    looks = looks_of(compare(records_dir).tables)
    assert look(looks, "vae") == look(Looks(["vae"]), "vae")
    assert look(looks, "vae (restoration)") != look(looks, "vae")
