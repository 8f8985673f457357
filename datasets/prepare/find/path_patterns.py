"""Anyone's own scans: which file is what, as patterns of their paths say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from andi_bench.errors import UserError
from andi_bench.names import counted
from datasets.names import SYNONYMS
from datasets.prepare.find.grouping import Group, passed_over
from datasets.prepare.find.sources import Finding
from datasets.prepare.found import Gathered, Incoming, SourceFile


class _Fit(NamedTuple):
    subject: str
    kind: str
    columns: dict[str, str]


def from_patterns(
    found: Finding, patterns: Sequence[str], names: Mapping[str, str], *, healthy: bool = False
) -> Gathered:
    """Sort files by patterns of their paths.

    Parameters
    ----------
    found : Finding
        The files of a folder.
    patterns : sequence of str
        Paths within the folder; a file belongs to the first one that it fits. ``{subject}`` and ``{modality}`` are
        wanted, ``{session}`` may be there (its scans are subjects of their own, and one person's) and ``{person}`` (whose
        scan it is), any other name in braces becomes a column; ``*`` is anything but "/".
    names : mapping
        What the user's names for modalities mean, on top of :data:`datasets.names.SYNONYMS`.
    healthy : bool
        Whether a subject without a mask has no lesion.

    Raises
    ------
    UserError
        For a pattern that is not one, and one that no file fits.
    """
    out = Gathered(problems=list(found.problems))
    known = {**SYNONYMS, **{name.lower(): kind for name, kind in names.items()}}
    regular = [_compiled(pattern) for pattern in patterns]
    groups: dict[str, Group] = {}
    persons: dict[str, str] = {}
    unknown: Counter[str] = Counter()
    left: list[SourceFile] = []
    for file in found.files:
        fits = [match.groupdict() for r in regular if (match := r.fullmatch(file.name))]
        said = next((m for m in fits if m["modality"].lower() in known), None)
        if said is None:
            unknown.update([fits[0]["modality"]] if fits else [])
            left += [] if fits else [file]
            continue
        name = "_".join(said[key] for key in ("subject", "session") if said.get(key))
        persons[name] = said["subject"]
        columns = {k: v for k, v in said.items() if k not in ("subject", "modality") and v}
        groups.setdefault(name, Group(name)).add(known[said["modality"].lower()], file, columns)
    shown = " ".join(patterns)
    if not groups:
        one = f"'{found.files[0].name}' for one" if found.files else "no scan is there"
        named = f"; names that are no modality: {', '.join(sorted(unknown))}" if unknown else ""
        raise UserError(f"--pattern {shown}: no file fits it ({one}){named}")
    for name, count in sorted(unknown.items()):
        out.notes.append(
            f"'{name}' is no modality: {counted(count, 'file')} passed over (--modality KIND={name} names it)"
        )
    out.notes += passed_over(
        left, "it fits no --pattern; a second --pattern, or --csv, says what it is"
    )
    for name in sorted(groups):
        without = "mask" not in groups[name].files
        _put(out, groups[name].subject(persons[name], healthy and without))
    return out


def _put(out: Gathered, found: Incoming | list[str]) -> None:
    if isinstance(found, Incoming):
        out.subjects.append(found)
    else:
        out.problems += found


def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[A-Za-z_][A-Za-z0-9_]*\}|\*)", pattern)
    seen: set[str] = set()
    out = ""
    for part in parts:
        if part == "*":
            out += r"[^/]*"
        elif part.startswith("{"):
            name = part[1:-1]
            out += f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)"
            seen.add(name)
        else:
            out += re.escape(part)
    missing = [name for name in ("subject", "modality") if name not in seen]
    if missing or "{" in re.sub(r"\{[A-Za-z_][A-Za-z0-9_]*\}", "", pattern):
        raise UserError(
            f"--pattern {pattern}: {{subject}} and {{modality}} wanted, such as "
            "'{subject}/{subject}_{modality}.nii.gz'"
        )
    return re.compile(out)
