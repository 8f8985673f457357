"""Validation subjects that something is settled on before a map is made: one's own, or lent by the data set that is learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from andi_bench.names import counted
from benchmark.recording.guards import Guard, no_overlap, other_persons
from datasets.adapters.base import DatasetAdapter, Subject


@dataclass(frozen=True)
class SettledOn:
    """Labelled validation subjects that a method is calibrated on, and modalities are brought into line on.

    Parameters
    ----------
    adapter : DatasetAdapter
        Reads them.
    subjects : list of Subject
        Of the data set that is scored; where it has none, of the one that is learnt from; [] where neither has any.
    fingerprints : dict of str to str
        What identifies the scan of each.
    lender : str
        The data set's name, where it is not the one that is scored; else "".
    """

    adapter: DatasetAdapter
    subjects: list[Subject]
    fingerprints: dict[str, str]
    lender: str = ""

    def said(self, dataset: str) -> str:
        """Return what the record of a run says of it where they are lent; ``dataset`` is scored."""
        subjects = counted(len(self.subjects), "labelled validation subject")
        return f"calibrated on {subjects} of '{self.lender}', for '{dataset}' has none"


def guards_of_lent(
    lent: SettledOn, learnt: dict[str, str], scored: Sequence[tuple[Subject, str]], dataset: str
) -> list[Guard]:
    """Check that no scan or person is lent and learnt from, or lent and scored.

    Parameters
    ----------
    lent : SettledOn
        With its lender.
    learnt : dict of str to str
        The training subjects of the lender, with what identifies their scans.
    scored : sequence of (Subject, str)
        The same of those that are evaluated.
    dataset : str
        The data set of the latter.

    Raises
    ------
    UserError
        Names the first pair of scans.
    """
    name, found = lent.lender, lent.fingerprints
    return [
        no_overlap(f"splits of {name} disjoint (train, val)", learnt, found, ("train", "val")),
        no_overlap(
            "calibration data and evaluated data disjoint",
            found,
            {subject.id: content for subject, content in scored},
            (f"{name} (calibration)", dataset),
        ),
        other_persons(
            {subject.id: subject.person for subject in lent.subjects},
            {subject.id: subject.person for subject, _ in scored},
            (name, dataset),
            "calibration",
        ),
    ]
