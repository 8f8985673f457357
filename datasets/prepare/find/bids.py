"""Scans in the Brain Imaging Data Structure, found by their names (bids-specification, "Anatomy imaging data").

Gorgolewski et al., "The brain imaging data structure", Scientific Data 3, 2016.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from andi_bench.errors import UserError
from andi_bench.names import counted
from datasets.names import BIDS, BIDS_MASKS, BRAIN, MASK
from datasets.prepare.find.grouping import Group, passed_over, with_attributes
from datasets.prepare.find.sources import Finding
from datasets.prepare.found import Gathered, Incoming, SourceFile
from datasets.splits import named
from datasets.tables import read_table, there

_PATH = re.compile(
    r"(?P<above>(?:.*/)?)sub-(?P<sub>[A-Za-z0-9]+)/(?:ses-(?P<ses>[A-Za-z0-9]+)/)?(?:[a-z]+/)?"
    r"(?P<stem>sub-(?P=sub)(?:_ses-[A-Za-z0-9]+)?(?:_[A-Za-z0-9]+-[A-Za-z0-9+]+)*)_(?P<suffix>[A-Za-z0-9]+)\.nii(?:\.gz)?",
    re.IGNORECASE,
)
_DERIVED = re.compile(r"(?P<above>(?:.*/)?)derivatives/.*")
_OWN_SPACE = ("", "orig", "individual", "native", "t1w", "t2w", "flair", "scanner")
_LESIONS = re.compile(
    r"lesion|tumou?r|wmh|stroke|infarct|plaque|glioma|metasta|haemorr|hemorr|bleed", re.I
)
_HOW = (
    "no scan or lesion mask by its name, in the space of a scan; --modality KIND=NAME, such as "
    "mask=label-L_mask or flair=desc-preproc_FLAIR, says what it is, or --csv"
)


class _Named(NamedTuple):
    """What the path of a file says."""

    subject: str
    person: str
    session: str
    root: str
    derived: bool
    words: tuple[str, ...]
    suffix: str
    space: str


def is_bids(found: Finding) -> bool:
    """Whether some file lies and is named as a scan of BIDS."""
    return any(
        (said := _said(file)) is not None and not said.derived and said.suffix in BIDS
        for file in found.files
    )


def from_bids(
    found: Finding, root: Path, names: Mapping[str, str] | None = None, *, healthy: bool = False
) -> Gathered:
    """Sort the files of a BIDS folder: each session is a subject, and all sessions of one are one person.

    T1w with the entity ``ce`` is the contrast-enhanced T1. Masks lie beside the scan or in ``derivatives``, in the scan's
    own space: lesions where a word says lesion, tumour or stroke or the suffix is ``msk``, brains where it says brain. What
    is not used is named. Columns of ``participants.tsv`` are kept.

    Parameters
    ----------
    found : Finding
        The files of the folder.
    root : Path
        The folder.
    names : mapping or None
        What the user's names mean: parts of a file's name, ``label-L`` or ``label-L_mask``.
    healthy : bool
        Whether a subject without a mask has no lesion.

    Raises
    ------
    UserError
        When ``participants.tsv`` cannot be read.
    """
    out = Gathered(problems=list(found.problems))
    groups: dict[str, Group] = {}
    persons: dict[str, str] = {}
    sessions: dict[str, str] = {}
    spaces: dict[str, set[str]] = {}
    left: list[SourceFile] = []
    kinds = [
        (file, said, _kind(said, names or {})) for file in found.files if (said := _said(file))
    ]
    placed = {id(file) for file, _, _ in kinds}
    left += [file for file in found.files if id(file) not in placed]
    for _, said, kind in kinds:
        if kind not in (None, MASK, BRAIN):
            spaces.setdefault(said.subject, set()).add(said.space)
    for file, said, kind in kinds:
        if kind is None or said.space not in spaces.get(said.subject, ()):
            left.append(file)
            continue
        persons[said.subject], sessions[said.subject] = said.person, said.session
        groups.setdefault(said.subject, Group(said.subject)).add(kind, file, {_FOLDER: said.root})
    several = any(sessions.values())
    for name in sorted(groups):
        found_one = groups[name].subject(persons[name], healthy and MASK not in groups[name].files)
        if isinstance(found_one, Incoming):
            columns = {"session": sessions[name]} if several else {}
            out.subjects.append(replace(found_one, attributes=columns))
        else:
            out.problems += found_one
    out.notes += passed_over(left, _HOW)
    if not out.subjects and not out.problems:
        raise UserError(f"{root}: BIDS without a FLAIR, T1w or T2w in any anat folder")
    return _with_participants(out, root)


_FOLDER = "folder"


def _said(file: SourceFile) -> _Named | None:
    match = _PATH.fullmatch(file.name)
    if match is None:
        return None
    parts = match["stem"].split("_")
    session = str(match["ses"] or next((p[4:] for p in parts if p.startswith("ses-")), ""))
    person = f"sub-{match['sub']}"
    derived = _DERIVED.fullmatch(match["above"])
    words = tuple(p for p in parts if not p.startswith(("sub-", "ses-")))
    space = next((p.split("-", 1)[1] for p in words if p.startswith("space-")), "")
    return _Named(
        subject=person + (f"_ses-{session}" if session else ""),
        person=person,
        session=session,
        root=derived["above"] if derived else match["above"],
        derived=derived is not None,
        words=words,
        suffix=match["suffix"],
        space="" if space.lower() in _OWN_SPACE else space,
    )


def _kind(said: _Named, names: Mapping[str, str]) -> str | None:
    whole = f"_{'_'.join((*said.words, said.suffix))}_".lower()
    for name, kind in names.items():
        if f"_{name.strip('_').lower()}_" in whole:
            return kind
    usual = _by_convention(said)
    return (
        None if usual in names.values() else usual
    )  # where the user says which, no other is meant


def _by_convention(said: _Named) -> str | None:
    entities = dict(word.split("-", 1) for word in said.words)
    scan = BIDS.get(said.suffix)
    if scan is not None:
        if said.derived:  # a scan that somebody has processed: only if it is asked for
            return None
        return "t1ce" if scan == "t1" and "ce" in entities else scan
    if said.suffix.lower() not in BIDS_MASKS:
        return None
    text = "_".join(entities.get(key, "") for key in ("label", "desc", "roi"))
    if _LESIONS.search(text) or _LESIONS.search(said.suffix):
        return MASK
    if "brain" in text.lower():
        return BRAIN if said.suffix.lower() in ("mask", "msk") else None
    return MASK if said.suffix.lower() in ("msk", "lesion") and not text.strip("_") else None


def _with_participants(out: Gathered, root: Path) -> Gathered:
    """Add the columns of ``participants.tsv``; name rows and subjects that have no counterpart."""
    path = next(
        (p for name in ("participants.tsv", "participants.csv") if there(p := root / name)), None
    )
    if path is None:
        return out
    rows = _participants(path)
    persons = {s.person for s in out.subjects}
    idle = sorted(set(rows) - persons)
    if idle:
        out.notes.append(
            f"{path}: {counted(len(idle), 'row fits', 'rows fit')} no subject that is prepared: {named(idle)}"
        )
    lone = sorted(persons - set(rows))
    if lone:
        out.notes.append(f"{path}: no row for {counted(len(lone), 'subject')}: {named(lone)}")
    return with_attributes(out, rows)


def _participants(path: Path) -> dict[str, dict[str, str]]:
    table = read_table(path)
    if len(table.rows) < 2:
        return {}
    header, rows = table.with_header()
    if "participant_id" not in header:
        raise UserError(f"{path}: no column participant_id ({', '.join(header)} found)")
    column = header.index("participant_id")
    out: dict[str, dict[str, str]] = {}
    for number, cells in rows:
        name = cells[column] if cells[column].startswith("sub-") else f"sub-{cells[column]}"
        if name in out:
            raise UserError(f"{path}, line {number}: {name} stands there twice, once wanted")
        out[name] = {
            key: "" if cell == "n/a" else cell
            for k, (key, cell) in enumerate(zip(header, cells, strict=True))
            if key and k != column
        }
    return out
