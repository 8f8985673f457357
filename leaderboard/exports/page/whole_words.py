"""Hyphenated words, such as many methods' names, that no line ends within."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

LONGEST = 28
"""Characters of a word that is kept whole: a longer one would not fit on a phone."""
_HYPHENATED = re.compile(r"(?<!\S)(?=\S*\w-\w)\S+")


def whole_words(text: object) -> Markup:
    """Return a text as markup, escaped, in which a line ends within no hyphenated word of up to :data:`LONGEST` characters."""
    from markupsafe import Markup, escape

    kept, last = Markup(), 0
    plain = str(text)
    for found in _HYPHENATED.finditer(plain):
        if len(found[0]) <= LONGEST:
            kept += escape(plain[last : found.start()])
            kept += Markup('<span class="whole">{}</span>').format(found[0])
            last = found.end()
    return kept + escape(plain[last:])
