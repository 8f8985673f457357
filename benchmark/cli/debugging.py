"""Whether the command that runs was given ``--debug``."""

from __future__ import annotations

_asked = False


def switch(value: bool) -> bool:
    """Remember what ``--debug`` says; the option's callback."""
    global _asked
    _asked = value
    return value


def tracebacks() -> bool:
    """Return whether tracebacks are to be shown."""
    return _asked
