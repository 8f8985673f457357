"""Groups of methods that no test tells apart, as letters: two methods share one if and only if their difference is not significant."""

from __future__ import annotations

import string
from collections.abc import Collection, Sequence


def letters_of(order: Sequence[int], apart: Collection[tuple[int, int]]) -> dict[int, str]:
    """Return the letters of each method (compact letter display; Piepho, 2004: insert and absorb).

    Parameters
    ----------
    order : sequence of int
        The methods, best first: the first has an ``a``.
    apart : collection of (int, int)
        Pairs that are significantly different, in either order.
    """
    groups = [set(order)]
    for first, second in apart:
        split: list[set[int]] = []
        for group in groups:
            if first in group and second in group:
                split += [group - {first}, group - {second}]
            else:
                split.append(group)
        groups = [
            group
            for place, group in enumerate(split)
            if not any(
                group < other or (group == other and earlier < place)
                for earlier, other in enumerate(split)
            )
        ]
    places = {method: place for place, method in enumerate(order)}
    groups.sort(key=lambda group: sorted(places[method] for method in group))
    names = [_name(place) for place in range(len(groups))]
    return {
        method: "".join(name for name, group in zip(names, groups, strict=True) if method in group)
        for method in order
    }


def _name(place: int) -> str:
    """Return a, b, ..., z, A, ..., Z, then further single letters."""
    marks = string.ascii_letters
    return marks[place] if place < len(marks) else chr(0xC0 + place - len(marks))
