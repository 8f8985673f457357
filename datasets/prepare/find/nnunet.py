"""Scans in the raw layout of nnU-Net: ``imagesTr/<id>_0000.nii.gz``, ``labelsTr/<id>.nii.gz``, ``dataset.json``.

Isensee et al., "nnU-Net", Nature Methods 18, 2021; its documentation, dataset_format.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from andi_bench.errors import UserError
from datasets.names import KINDS, MASK, SYNONYMS
from datasets.prepare.find.grouping import Group, passed_over
from datasets.prepare.find.sources import Finding
from datasets.prepare.found import Gathered, Incoming, SourceFile
from datasets.tables import plain_word

_IMAGE = re.compile(r"images(?P<set>Tr|Ts|Val)/(?P<id>[^/]+)_(?P<channel>\d{4})\.nii(\.gz)?")
_LABEL = re.compile(r"labels(?P<set>Tr|Ts|Val)/(?P<id>[^/]+?)\.nii(\.gz)?")


def is_nnunet(found: Finding) -> bool:
    """Whether some file lies and is named as a channel of nnU-Net."""
    return any(_IMAGE.fullmatch(file.name) for file in found.files)


def from_nnunet(
    found: Finding, root: Path, names: Mapping[str, str], *, healthy: bool = False
) -> Gathered:
    """Sort the files of nnU-Net's raw layout by the channels that ``dataset.json`` names.

    Parameters
    ----------
    found : Finding
        The files of the folder.
    root : Path
        The folder.
    names : mapping
        What the user's names mean: a channel's number (``0000``) or its name.
    healthy : bool
        Whether a subject without a mask has no lesion.

    Raises
    ------
    UserError
        When no channel is a modality, or ``dataset.json`` is wanted and cannot be read.
    """
    out = Gathered(problems=list(found.problems))
    channels = _channels(root / "dataset.json", names)
    groups: dict[str, Group] = {}
    left: list[SourceFile] = []
    for file in found.files:
        image, label = _IMAGE.fullmatch(file.name), _LABEL.fullmatch(file.name)
        kind = channels.get(int(image["channel"])) if image is not None else MASK
        match = image or label
        if match is None or kind is None:
            left.append(file)
            continue
        columns = {"nnunet_set": match["set"]}
        groups.setdefault(match["id"], Group(match["id"])).add(kind, file, columns)
    for name in sorted(groups):
        found_one = groups[name].subject(name, healthy and MASK not in groups[name].files)
        if isinstance(found_one, Incoming):
            out.subjects.append(found_one)
        else:
            out.problems += found_one
    how = "--modality KIND=0001 says what a channel is"
    out.notes += passed_over(left, f"no channel that is used, and no label; {how}")
    return out


def _channels(path: Path, names: Mapping[str, str]) -> dict[int, str]:
    said = {plain_word(name): kind for name, kind in names.items()}
    by_number = {int(name): kind for name, kind in said.items() if name.isdigit()}
    content: Any = {}
    if path.exists() or path.is_symlink():
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
            listed = content.get("channel_names") or content.get("modality") or {}
            content = {int(number): str(name) for number, name in listed.items()}
        except (OSError, ValueError, AttributeError) as error:
            raise UserError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error
    out = {}
    for number, name in content.items():
        kind = {**SYNONYMS, **said}.get(plain_word(name))
        if kind is not None:
            out[number] = kind
    out.update(by_number)
    if not out:
        shown = ", ".join(f"{n:04d} is '{name}'" for n, name in content.items())
        raise UserError(
            f"{path}: {shown or 'it names no channel'}: a modality wanted ({', '.join(KINDS[:4])}); --modality "
            "flair=0000 says which channel is which"
        )
    return out
