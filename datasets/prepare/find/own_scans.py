"""Anyone's own scans: which file is what, as a CSV or a pattern of file names says."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from andi_bench.errors import UserError, unknown_name
from datasets.names import KINDS, MASK, SYNONYMS
from datasets.prepare.find.sources import Finding, file_at
from datasets.prepare.found import Gathered, Incoming, SourceFile
from datasets.splits import PARTS
from datasets.volume import MODALITIES

HEALTHY = "healthy"
"""In the column of masks: this subject has no lesion, and so needs no file."""
_SUBJECT = ("subject", "subject_id", "id", "participant_id", "case")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def from_csv(table: Path, root: Path | None) -> Gathered:
    """Read which files belong to whom from a CSV with a header: one row a subject.

    Columns: ``subject``; ``flair``, ``t1``, ``t1ce``, ``t2`` (at least one), ``mask`` (a file, empty for not known, or
    ``healthy``), ``brain``; ``person`` (scans of one person share a part of the split) and ``split`` (train, val, test);
    any further one (site, age, sex) is kept.

    Parameters
    ----------
    table : Path
        Comma, semicolon or tab between cells.
    root : Path or None
        Paths are relative to it; None: to the table's folder.

    Raises
    ------
    UserError
        When the table cannot be read, or has no column of subjects or no modality.
    """
    out = Gathered()
    header, rows = _rows(table)
    low = [name.strip().lower() for name in header]
    subject = next((low.index(name) for name in _SUBJECT if name in low), None)
    kinds = {k: SYNONYMS[name] for k, name in enumerate(low) if name in SYNONYMS}
    if subject is None or not set(kinds.values()) & set(MODALITIES):
        raise UserError(
            f"{table}: columns {', '.join(header)}: 'subject' and at least one of {', '.join(MODALITIES)} wanted"
        )
    twice = [kind for kind, count in Counter(kinds.values()).items() if count > 1]
    if twice:
        raise UserError(f"{table}: two columns for {twice[0]}: one wanted")
    seen: set[str] = set()
    for number, cells in rows:
        name = cells[subject]
        where = f"{table}, line {number}"
        if name in seen:
            out.problems.append(f"{where}: subject {name} stands there twice, once wanted")
            continue
        seen.add(name)
        found, lines = _row(name, low, cells, kinds, root or table.parent, where)
        out.problems += lines
        if found is not None:
            out.subjects.append(found)
    out.subjects.sort(key=lambda s: s.id)
    return out


def _rows(table: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        text = table.read_text(encoding="utf-8-sig")
        first = text.split("\n", 1)[0]
        separator = max(",;\t", key=first.count)
        lines = [
            (number, [cell.strip() for cell in cells])
            for number, cells in enumerate(csv.reader(io.StringIO(text), delimiter=separator), 1)
        ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{table}: cannot be read as CSV ({error})") from error
    lines = [(number, cells) for number, cells in lines if any(cells)]
    if len(lines) < 2:
        raise UserError(f"{table}: a header and one row a subject wanted")
    header = lines[0][1]
    for number, cells in lines[1:]:
        if len(cells) > len(header):
            raise UserError(
                f"{table}, line {number}: {len(cells)} columns, {len(header)} wanted (as in the header)"
            )
    return header, [
        (number, cells + [""] * (len(header) - len(cells))) for number, cells in lines[1:]
    ]


def _row(
    name: str,
    header: list[str],
    cells: list[str],
    kinds: Mapping[int, str],
    root: Path,
    where: str,
) -> tuple[Incoming | None, list[str]]:
    lines = []
    files: dict[str, SourceFile] = {}
    healthy = False
    for column, kind in kinds.items():
        cell = cells[column]
        if kind == MASK and cell.lower() == HEALTHY:
            healthy = True
        elif cell:
            try:
                files[kind] = file_at(root / Path(cell).expanduser(), Path(cell).name)
            except UserError as error:
                lines.append(f"{where}: {name}, {kind}: {error}")
    others = {
        key: cells[k]
        for k, key in enumerate(header)
        if key and k not in kinds and key not in (*_SUBJECT, "split", "person")
    }
    rest = {key: cells[header.index(key)] for key in ("split", "person") if key in header}
    if rest.get("split", "") not in ("", *PARTS):
        lines.append(f"{where}: split '{rest['split']}': {', '.join(PARTS)} or nothing wanted")
    if not lines:
        lines += [f"{where}: {line}" for line in unusable(name, files)]
    if lines:
        return None, lines
    person = rest.get("person") or name
    return Incoming(name, _ordered(files), person, others, healthy, rest.get("split", "")), []


def from_pattern(found: Finding, pattern: str, names: Mapping[str, str]) -> Gathered:
    """Sort files by a pattern of their paths.

    Parameters
    ----------
    found : Finding
        The files of a folder.
    pattern : str
        Path within the folder: ``{subject}`` and ``{modality}`` are wanted, ``{session}`` may be there (its scans are
        subjects of their own, and one person's), any other name in braces becomes a column; ``*`` is anything but "/".
    names : mapping
        What the user's names for modalities mean, on top of :data:`datasets.names.SYNONYMS`.

    Raises
    ------
    UserError
        For a pattern that is not one, and one that no file fits.
    """
    out = Gathered(problems=list(found.problems))
    known = {**SYNONYMS, **{name.lower(): kind for name, kind in names.items()}}
    regular = _compiled(pattern)
    scans: dict[str, dict[str, list[SourceFile]]] = {}
    persons: dict[str, str] = {}
    columns: dict[str, dict[str, str]] = {}
    unknown: Counter[str] = Counter()
    for file in found.files:
        match = regular.fullmatch(file.name)
        if match is None:
            continue
        said = match.groupdict()
        kind = known.get(said["modality"].lower())
        if kind is None:
            unknown[said["modality"]] += 1
            continue
        name = "_".join(said[key] for key in ("subject", "session") if said.get(key))
        persons[name] = said["subject"]
        columns[name] = {k: v for k, v in said.items() if k not in ("subject", "modality")}
        scans.setdefault(name, {}).setdefault(kind, []).append(file)
    if not scans:
        one = f"'{found.files[0].name}' for one" if found.files else "no scan is there"
        named = f"; names that are no modality: {', '.join(sorted(unknown))}" if unknown else ""
        raise UserError(f"--pattern {pattern}: no file fits it ({one}){named}")
    for name, count in sorted(unknown.items()):
        out.notes.append(
            f"'{name}' is no modality: {count} files passed over (--modality KIND={name} names it)"
        )
    for name in sorted(scans):
        found_one = one_each(name, scans[name], persons[name], columns[name])
        if isinstance(found_one, Incoming):
            out.subjects.append(found_one)
        else:
            out.problems += found_one
    return out


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
    return lines or Incoming(name, _ordered(files_of), person, dict(attributes))


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


def _ordered(files: Mapping[str, SourceFile]) -> dict[str, SourceFile]:
    return {kind: files[kind] for kind in KINDS if kind in files}
