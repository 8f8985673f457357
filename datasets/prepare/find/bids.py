"""Scans in the Brain Imaging Data Structure, found by their names (bids-specification, "Anatomy imaging data").

Gorgolewski et al., "The brain imaging data structure", Scientific Data 3, 2016.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from andi_bench.errors import UserError
from datasets.names import BIDS, BIDS_MASKS, BRAIN, MASK
from datasets.prepare.find.own_scans import one_each, with_attributes
from datasets.prepare.find.sources import Finding
from datasets.prepare.found import Gathered, SourceFile

_PATH = re.compile(
    r"(?P<derived>derivatives/.*?)?sub-(?P<sub>[A-Za-z0-9]+)/(ses-(?P<ses>[A-Za-z0-9]+)/)?anat/"
    r"(?P<file>[^/]+?)_(?P<suffix>[A-Za-z0-9]+)\.nii(\.gz)?"
)
_OWN_SPACE = ("", "orig", "individual", "native", "T1w", "FLAIR", "scanner")


def is_bids(root: Path) -> bool:
    """Whether a folder has ``sub-*/anat`` or ``sub-*/ses-*/anat``."""
    return any(any(root.glob(f"sub-*/{deeper}anat")) for deeper in ("", "ses-*/"))


def from_bids(found: Finding, root: Path) -> Gathered:
    """Sort the files of a BIDS folder: each session is a subject, and all sessions of one are one person.

    T1w with the entity ``ce`` is the contrast-enhanced T1. Masks are those of ``derivatives`` in the scan's own
    space: lesions where ``label`` or ``desc`` says lesion, brains where it says brain. Columns of
    ``participants.tsv`` are kept.

    Parameters
    ----------
    found : Finding
        The files of the folder.
    root : Path
        The folder.

    Raises
    ------
    UserError
        When ``participants.tsv`` cannot be read.
    """
    out = Gathered(problems=list(found.problems))
    scans: dict[str, dict[str, list[SourceFile]]] = {}
    persons: dict[str, str] = {}
    sessions: dict[str, str] = {}
    for file in found.files:
        match = _PATH.fullmatch(file.name)
        if match is None:
            continue
        kind = _kind(match["file"], match["suffix"], derived=bool(match["derived"]))
        if kind is None:
            continue
        person = f"sub-{match['sub']}"
        name = person + (f"_ses-{match['ses']}" if match["ses"] else "")
        persons[name] = person
        sessions[name] = match["ses"] or ""
        scans.setdefault(name, {}).setdefault(kind, []).append(file)
    several = any(sessions.values())
    for name in sorted(scans):
        columns = {"session": sessions[name]} if several else {}
        subject = one_each(name, scans[name], persons[name], columns)
        if isinstance(subject, list):
            out.problems += subject
        else:
            out.subjects.append(subject)
    if not out.subjects and not out.problems:
        raise UserError(f"{root}: BIDS without a FLAIR, T1w or T2w in any anat folder")
    return with_attributes(out, _participants(root / "participants.tsv"))


def _kind(stem: str, suffix: str, *, derived: bool) -> str | None:
    entities = dict(part.split("-", 1) for part in stem.split("_") if "-" in part)
    if not derived:
        kind = BIDS.get(suffix)
        return "t1ce" if kind == "t1" and "ce" in entities else kind
    if suffix not in BIDS_MASKS or entities.get("space", "") not in _OWN_SPACE:
        return None
    said = (entities.get("label", "") + entities.get("desc", "")).lower()
    if "lesion" in said or "tumor" in said or "tumour" in said:
        return MASK
    return BRAIN if "brain" in said and suffix == "mask" else None


def _participants(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text), delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    if rows and "participant_id" not in rows[0]:
        raise UserError(f"{path}: no column participant_id")
    return {
        row["participant_id"]: {
            key: "" if value in (None, "n/a") else value.strip()
            for key, value in row.items()
            if key and key != "participant_id"
        }
        for row in rows
    }
