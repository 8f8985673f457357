"""The one error that a user may cause, and the suggestion that goes with a misspelt name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in what the user gave: shown as one line on stderr, exit code 2.

    The message names the file, the subject or the key, the value found, and the value wanted.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def reason(error: Exception) -> str:
    """Return why a file cannot be used, in one line: of the system's errors without their number, and without the path."""
    said = getattr(error, "strerror", None) or str(error)
    return said.splitlines()[0] if said.strip() else type(error).__name__


def unknown_name(kind: str, name: str, valid: Iterable[str]) -> UserError:
    """Build the error for a name that is not among the valid ones.

    Parameters
    ----------
    kind : str
        What the name stands for, such as ``"method"``.
    name : str
        The name found.
    valid : iterable of str
        The names that would have been accepted; the nearest is suggested.
    """
    names = sorted(valid)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if not nearest:  # "stride" for "detector.stride": the last part is what a person remembers
        nearest = [full for full in names if full.rsplit(".", 1)[-1] == name][:1]
    hint = f" did you mean '{nearest[0]}'?" if nearest else ""
    listed = ", ".join(names) if names else "none"
    return UserError(f"unknown {kind} '{name}':{hint} valid: {listed}")
