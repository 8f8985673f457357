"""Where the packages and their configuration lie: in a checkout, or inside the installed package.

The names ``benchmark``, ``datasets``, ``methods`` and ``leaderboard`` are plain words that other packages bear too
(Hugging Face's ``datasets`` is one). A wheel therefore holds them inside ``andi_bench/rooms/``, and the command puts that
folder first on the path of its own process alone.
"""

from __future__ import annotations

from pathlib import Path


def rooms() -> Path:
    """Return the folder that holds ``benchmark``, ``datasets``, ``methods``, ``leaderboard``, ``configs`` and ``splits``."""
    package = Path(__file__).resolve().parent
    inside = package / "rooms"
    return inside if inside.is_dir() else package.parent


def package_data(kind: str) -> Path:
    """Return the folder ``configs`` or ``splits``."""
    return rooms() / kind
