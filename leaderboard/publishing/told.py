"""What a published record says: the run's figures, no path of the machine, and of the subjects no more than tables need."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from andi_bench.metrics.compared import compared, compared_in_groups
from andi_bench.records.schema import RunRecord
from andi_bench.records.slim import with_validation
from leaderboard.tables.subgroups import LESION_SIZE

WITHHELD = "not published: it may name a person"

_PATH = re.compile(
    r"""(?<![\w.:/\\-])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\]{1,2}[^\s/\\:;,'"()]+)+[/\\]?"""
)
_WORD = re.compile(r"[^\s,;:()'\"=]+")


@dataclass(frozen=True)
class Wish:
    """What a published record is to say otherwise than the run's own.

    Parameters
    ----------
    groups : frozenset of str
        Columns of the split's CSV whose sub-groups stay in it; lesion volumes always do.
    pseudonyms : mapping of str to str or None
        What subjects are called instead of their names; None: they keep these.
    dataset, title : str
        The data set's name, and its name in words; "": as in the run.
    """

    groups: frozenset[str] = frozenset()
    pseudonyms: Mapping[str, str] | None = field(default=None, repr=False)
    dataset: str = ""
    title: str = ""

    def renamed(self, subject: str) -> str:
        """Return what a subject is called."""
        return subject if self.pseudonyms is None else self.pseudonyms[subject]


def subjects_of(record: RunRecord) -> list[str]:
    """Return the names of all subjects that a record speaks of, each once."""
    data = record.data
    groups = [
        name
        for grid in record.grids
        for found in record.on_grid(grid).groups.values()
        for group in found
        for name in group.subjects
    ]
    known = (*data.test, *data.val, *data.train, *data.fingerprints, *data.files, *groups)
    return list(dict.fromkeys(known))


def published(record: RunRecord, wish: Wish) -> dict[str, Any]:
    """Return the content of a published ``record.json``.

    Left out: figures that no table shows, who learnt and who was validated on, hashes of the scans, places of lost lesions in the head, the command line; and,
    unless asked for, sub-groups by anything but lesion volume.

    Parameters
    ----------
    record : RunRecord
        The run, read from its folder.
    wish : Wish
        What is to be otherwise.

    Raises
    ------
    UserError
        When the histograms of an older record cannot be read.
    """
    told: dict[str, Any] = with_validation(record).model_dump(by_alias=True, mode="json")
    data = told["data"]
    data |= {"fingerprints": {}, "files": {}, "train": [], "val": []}
    data["test"] = [wish.renamed(name) for name in data["test"]]
    # what it was trained on keeps its name: so a training is known again on other data sets
    told["run"]["dataset"] = wish.dataset or record.run.dataset
    data["title"] = wish.title or data["title"]
    if told["lesions"] is not None:
        told["lesions"]["lost"] = []
    told["provenance"].pop("command", None)
    for part in filter(None, (told, told["native"])):
        part["groups"] = {
            by: [_group(group, wish) for group in groups]
            for by, groups in part["groups"].items()
            if by == LESION_SIZE or by in wish.groups
        }
        for figures in ("summary", "references"):
            part[figures] = {
                name: {**found, "subjects": _only(found["subjects"], compared())}
                for name, found in part[figures].items()
            }
        for figures in ("operating_points", "summary", "groups", "references"):
            part[figures] = _with_values(part[figures])
        if wish.pseudonyms is not None:
            part["notes"] = [_unnamed(note, wish.pseudonyms) for note in part["notes"]]
    if wish.pseudonyms is not None:
        _withhold_names(told, wish.pseudonyms)
    cleaned: dict[str, Any] = without_paths(told)
    return cleaned


def _group(group: dict[str, Any], wish: Wish) -> dict[str, Any]:
    """Return a sub-group with the figures that tables show of one."""
    shown = {found.key for found in compared_in_groups()}
    results = {
        chain: {"pooled": found["pooled"], "subjects": _only(found["subjects"], shown)}
        for chain, found in group["results"].items()
    }
    names = [wish.renamed(name) for name in group["subjects"]]
    return {**group, "subjects": names, "results": results}


def _only(figures: Mapping[str, Any], shown: Collection[str]) -> dict[str, Any]:
    """Return the figures that tables show."""
    return {key: found for key, found in figures.items() if key in shown}


def _with_values(figures: Any) -> Any:
    """Return figures without the fields that have no value, which is what a record without them says too."""
    if isinstance(figures, dict):
        return {k: _with_values(v) for k, v in figures.items() if v is not None}
    return [_with_values(part) for part in figures] if isinstance(figures, list) else figures


def _withhold_names(told: dict[str, Any], pseudonyms: Mapping[str, str]) -> None:
    for guard in told["guards"]:
        # one that did not pass may name persons, who are no subjects
        passed = guard["passed"] is True
        guard["detail"] = _unnamed(guard["detail"], pseudonyms) if passed else WITHHELD
    if told["unranked"]:
        told["unranked"] = _unnamed(told["unranked"], pseudonyms)
    # hashes of what can be guessed: a folder's name, names of subjects that are counted through
    told["provenance"].pop("data", None)
    told["run"] |= {"asked": "", "former": ""}


def _unnamed(text: str, pseudonyms: Mapping[str, str]) -> str:
    """Return a text with pseudonyms in place of subjects' names; nothing of it where a name cannot be told from a number."""
    words = [word.strip(".") for word in _WORD.findall(text)]
    if any(word in pseudonyms and not re.search("[A-Za-z]", word) for word in words):
        return WITHHELD
    for name in sorted(pseudonyms, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", pseudonyms[name], text)
    return text


def without_paths(value: Any) -> Any:
    """Return some content, a text say, with the last part of every path in place of it."""
    if isinstance(value, dict):
        return {key: without_paths(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_paths(part) for part in value]
    if isinstance(value, str):
        return _PATH.sub(lambda found: re.split(r"[/\\]", found[0].rstrip("/\\"))[-1], value)
    return value
