"""The README's table, cut out of two leaderboards of the phantom: ``python -m scripts.readme_table`` brings it up to date."""

from __future__ import annotations

import re
from pathlib import Path

from andi_bench.config import method_entry
from scripts.marked_place import write

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
LEADERBOARD = ROOT / "leaderboard" / "phantom.md"
LONGER = ROOT / "leaderboard" / "phantom-standard.md"
BEGIN = "<!-- table: python -m scripts.readme_table -->"
DICE, DASH = "Dice@val-dice", "–"
COLUMNS = ("Group", "Method", DICE, "AP per subject", "s/volume")
AFTER = "Dice, trained four times as long"
"""Heading of the column that is cut out of the other leaderboard; it stands behind :data:`DICE`."""


def table() -> str:
    """Return the rows of the leaderboard's first table, and each method's Dice after the longer training."""
    head, line, *rows = _first_table(LEADERBOARD)
    places = _places(head)
    longer = _longer()
    kept = [
        _with(head, places, f"{AFTER}<br>{_seeds(LONGER)}"),
        _with(line, places, "--:"),
        *(_with(row, places, longer.get(_method(row[1]), DASH)) for row in rows),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in kept)


def _first_table(page: Path) -> list[list[str]]:
    found = re.search(r"^\| Group .*?(?=\n\n)", page.read_text("utf-8"), re.M | re.S)
    assert found is not None, f"{page}: no table"
    return [[cell.strip() for cell in one.strip("|").split(" | ")] for one in found[0].splitlines()]


def _seeds(page: Path) -> str:
    """Return how many seeds the rows of a leaderboard's first table have, as its first sentence says."""
    found = re.search(r"^\*\*n = .*?\b(\d+(?: to \d+)? seeds?)\b", page.read_text("utf-8"), re.M)
    assert found is not None, f"{page}: no number of seeds"
    return found[1]


def _places(head: list[str]) -> dict[str, int]:
    titles = [title.split("<br>")[0] for title in head]
    return {name: titles.index(name) for name in COLUMNS}


def _with(row: list[str], places: dict[str, int], longer: str) -> list[str]:
    cells = [row[place] for place in places.values()]
    cells.insert(COLUMNS.index(DICE) + 1, longer)
    return cells


def _longer() -> dict[str, str]:
    """Return what the methods that learn by steps have after the longer training, and by which maps."""
    head, _, *rows = _first_table(LONGER)
    place = _places(head)[DICE]
    return {
        _method(row[1]): f"{row[place]}, {row[1].rpartition(', ')[2]}"
        for row in rows
        if row[place] != DASH and _learns_by_steps(_method(row[1]))
    }


def _learns_by_steps(method: str) -> bool:
    entry = method_entry(method)
    return entry is not None and entry.learns_from != "nothing" and entry.chance is not False


def _method(cell: str) -> str:
    """Return the registered name in a cell such as ``[vae (restoration)](https://...), filtered``."""
    return re.split(r"[\](,]| \(", cell.lstrip("[*"))[0].strip()


if __name__ == "__main__":
    write(README, BEGIN, table())
