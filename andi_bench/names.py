"""Names as they stand in names of files."""

from __future__ import annotations

import re


def slug(name: str, keep: str = "") -> str:
    """Return a name in lower-case letters, digits and dashes; "" where it has none of these.

    Parameters
    ----------
    name : str
        Any text.
    keep : str
        Further characters that stay, but for the ends.
    """
    return re.sub(f"[^a-z0-9{re.escape(keep)}]+", "-", name.lower()).strip(f"-{keep}")


def folder_word(name: str) -> str:
    """Return a name as part of a folder's name: as :func:`slug`, dots kept; ``unnamed`` where nothing is left."""
    return slug(name, keep=".") or "unnamed"
