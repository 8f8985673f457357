"""From files whose meaning is known to subjects: one file of each kind, an id that can be one, one value a column."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from andi_bench.errors import UserError, unknown_name
from datasets.names import KINDS, NIFTI, looks_like_mask
from datasets.persons import person_of
from datasets.prepare.found import Gathered, Incoming, SourceFile
from datasets.tables import shape_of
from datasets.volume import MODALITIES

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass
class Group:
    """The files that bear one subject's name.

    Parameters
    ----------
    name : str
        The subject.
    files : dict of str to list of SourceFile
        By kind.
    said : dict of str to dict of str to SourceFile
        For each column its values, each with the first file that says it.
    """

    name: str
    files: dict[str, list[SourceFile]] = field(default_factory=dict)
    said: dict[str, dict[str, SourceFile]] = field(default_factory=dict)

    def add(self, kind: str, file: SourceFile, columns: Mapping[str, str]) -> None:
        """Take a file of a kind, with what its path says of the subject."""
        self.files.setdefault(kind, []).append(file)
        for column, value in columns.items():
            self.said.setdefault(column, {}).setdefault(value, file)

    def subject(self, person: str = "", healthy: bool = False) -> Incoming | list[str]:
        """Return the subject; else the lines that say why it is none.

        Files that contradict each other in a column are two subjects of one name, not one.
        """
        lines = []
        for column, values in self.said.items():
            if len(values) > 1:
                (one, first), (other, second) = list(values.items())[:2]
                lines.append(
                    f"{self.name}: its files say {column} {one} ({first.name}) and {column} {other} ({second.name}), "
                    "so they are of two subjects: names of their own wanted, by --csv"
                )
        if lines:
            return lines
        attributes = {column: next(iter(values)) for column, values in self.said.items()}
        person = attributes.pop("person", "") or person
        found = one_each(self.name, self.files, person, attributes)
        return replace(found, healthy=healthy) if isinstance(found, Incoming) else found


def one_each(
    name: str,
    scans: Mapping[str, list[SourceFile]],
    person: str,
    attributes: Mapping[str, str],
) -> Incoming | list[str]:
    """Return a subject with one file of each kind; else the lines that say what is wrong."""
    lines = []
    for kind, files in scans.items():
        if len(files) > 1:
            listed = ", ".join(file.name for file in files[:3])
            lines.append(
                f"{name}: {len(files)} files are its {kind} ({listed}): one wanted; --csv says which"
            )
    files_of = {kind: files[0] for kind, files in scans.items()}
    lines += unusable(name, files_of)
    return lines or Incoming(name, ordered(files_of), person_of(person or name), dict(attributes))


def unusable(name: str, files: Mapping[str, SourceFile]) -> list[str]:
    """Return the lines that say why a subject cannot be one; [] where it can."""
    if not _ID.fullmatch(name):
        return [
            f"subject '{name}': letters, digits, '.', '_' and '-' wanted, a letter or digit first"
        ]
    if not set(files) & set(MODALITIES):
        return [f"subject {name}: no scan: at least one of {', '.join(MODALITIES)} wanted"]
    return []


def parse_names(assignments: Iterable[str]) -> dict[str, str]:
    """Turn ``["t1ce=T1post"]`` into ``{"T1post": "t1ce"}``.

    Raises
    ------
    UserError
        For text without ``=``, and a kind that does not exist.
    """
    out = {}
    for text in assignments:
        kind, equals, name = text.partition("=")
        if not equals or not name:
            raise UserError(f"--modality {text}: KIND=NAME wanted, such as t1ce=T1post")
        if kind.lower() not in KINDS:
            raise unknown_name("kind of file", kind, KINDS)
        out[name] = kind.lower()
    return out


def with_attributes(gathered: Gathered, rows: Mapping[str, Mapping[str, str]]) -> Gathered:
    """Add a table's further columns to each person's scans."""
    gathered.subjects = [
        replace(s, attributes={**rows.get(s.person, {}), **s.attributes}) for s in gathered.subjects
    ]
    return gathered


def passed_over(files: Iterable[SourceFile], how: str) -> list[str]:
    """Return a note for each sort of file that is not used, with one of them and how to say what it is.

    Parameters
    ----------
    files : iterable of SourceFile
        They are sorted by what remains of their names without numbers.
    how : str
        What to do about it.
    """
    counts: Counter[str] = Counter()
    first: dict[str, SourceFile] = {}
    for file in files:
        sort = shape_of(NIFTI.sub("", file.path.name))
        counts[sort] += 1
        first.setdefault(sort, file)
    out = []
    # Masks first: their loss is the gravest.
    for sort in sorted(first, key=lambda sort: (not looks_like_mask(sort), sort)):
        looks = "looks like a lesion mask and is not used" if looks_like_mask(sort) else "not used"
        more = f" ({counts[sort]} files of such names)" if counts[sort] > 1 else ""
        out.append(f"{first[sort].label}: {looks}{more}: {how}")
    return out


def ordered(files: Mapping[str, SourceFile]) -> dict[str, SourceFile]:
    """Return files in the order of :data:`datasets.names.KINDS`."""
    return {kind: files[kind] for kind in KINDS if kind in files}
