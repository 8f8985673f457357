"""Names for subjects that tell nothing of them, the same in all runs of a data set.

Which subject bears which pseudonym stands in a table that is never published: ``pseudonyms/<data set>.csv`` of the
workspace, so that the hospital, and nobody else, finds a patient again. Numbers are drawn, not counted off, for the order of
names may be that of admissions. All begin with a word drawn for the table: subjects of two tables are never taken for one.
"""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Iterable
from pathlib import Path

from andi_bench.errors import UserError, reason
from andi_bench.files import write_atomically
from andi_bench.locks import exclusive

_HEAD = ["subject", "pseudonym"]
_LETTERS = "bcdfghjkmnpqrstvwxz"


def pseudonyms_for(path: Path, subjects: Iterable[str]) -> dict[str, str]:
    """Return a pseudonym for each subject; those that have none yet are given one, and the table is written.

    Parameters
    ----------
    path : Path
        The table; made if absent, readable by its owner alone.
    subjects : iterable of str
        Names.

    Raises
    ------
    UserError
        When the table cannot be read or written, or is not one.
    """
    with exclusive(path.parent):
        known = _read(path)
        new = [name for name in dict.fromkeys(subjects) if name not in known]
        if new:
            tag = _tag(known)
            secrets.SystemRandom().shuffle(new)
            known |= {
                name: f"{tag}-{number:04d}" for number, name in enumerate(new, start=len(known) + 1)
            }
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([_HEAD, *sorted(known.items())])
            write_atomically(path, text.getvalue())
            path.chmod(0o600)
    return known


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *lines = csv.reader(file)
        known = dict(lines)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({reason(error)})") from error
    if head != _HEAD or len(set(known.values())) != len(lines):
        raise UserError(f"{path}: columns subject and pseudonym wanted, each name once")
    return known


def _tag(known: dict[str, str]) -> str:
    for pseudonym in known.values():
        return pseudonym.partition("-")[0]
    return "".join(secrets.choice(_LETTERS) for _ in range(6))
