"""The README's table, cut out of leaderboard/phantom.md: ``python -m scripts.readme_table`` brings it up to date."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.marked_place import write

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
LEADERBOARD = ROOT / "leaderboard" / "phantom.md"
BEGIN = "<!-- table: python -m scripts.readme_table -->"
COLUMNS = ("Group", "Method", "Dice@val-dice", "AP per subject", "s/volume")


def table() -> str:
    """Return the first table of the leaderboard: the methods' rows, the columns of :data:`COLUMNS`."""
    found = re.search(r"^\| Group .*?(?=\n\n)", LEADERBOARD.read_text("utf-8"), re.M | re.S)
    assert found is not None, f"{LEADERBOARD}: no table"
    head, line, *rows = [_cells(one) for one in found[0].splitlines()]
    titles = [title.split("<br>")[0] for title in head]
    places = [titles.index(name) for name in COLUMNS]
    kept = [head, line, *(row for row in rows if "(reference)" not in row[1])]
    return "\n".join(f"| {' | '.join(row[place] for place in places)} |" for row in kept)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


if __name__ == "__main__":
    write(README, BEGIN, table())
