"""Shifts-MS, organised to one folder a patient.

Malinin et al., "Shifts 2.0: Extending the dataset of real distributional shifts" (arXiv 2206.15407).
"""

from __future__ import annotations

from pathlib import Path

from andi_bench.errors import UserError
from datasets.adapters.folder import FolderAdapter
from datasets.names import MASK, shifts_kind
from datasets.volume import MODALITIES

SETS: tuple[str, ...] = ("best", "ljubljana", "msseg")
"""The hospitals' collections; a patient's site is the one it comes from."""


class ShiftsAdapter(FolderAdapter):
    """Prepared Shifts-MS: ``<root>/patients/<set>_<split>_<n>/``, named as published or as in BraTS.

    ``root`` may be the ``patients`` folder itself.
    """

    layout = (
        "patients/<set>_<split>_<n>/ with *_{FLAIR,T1,T1CE,T2,gt}_isovox.nii.gz or "
        "<id>_{flair,t1,t1ce,t2,seg}.nii.gz"
    )

    def folder(self) -> Path:
        """Return ``<root>/patients``, or the root where that is such a folder.

        Raises
        ------
        UserError
            For the published, unprepared layout.
        """
        patients = self.root / "patients"
        if patients.is_dir():
            return patients
        raw = _unprepared(self.root)
        if raw is not None:
            raise UserError(
                f"data set '{self.name}': {self.root} is Shifts-MS as published (it holds {raw}/): prepared "
                f"patients wanted, {self.layout}"
            )
        return self.root

    def site_of(self, subject: str) -> str:
        """Return the collection that a patient comes from."""
        first = subject.split("_")[0].lower()
        return first if first in SETS else ""

    def kind_of(self, file: str, subject: str) -> str | None:
        """Tell what a file is; the masks of single raters and of the foreground are passed over."""
        if "indiv" in file.lower():
            return None
        published = shifts_kind(file)
        if published is None:
            return super().kind_of(file, subject)
        return published[1] if published[1] in (*MODALITIES, MASK) else None

    def expected(self, file: str, subject: str) -> bool:
        """Whether a file is a raters' mask, one of the foreground or a proton-density scan: known, and not used."""
        known = "indiv" in file.lower() or shifts_kind(file) is not None
        return known or super().expected(file, subject)


def _unprepared(root: Path) -> str | None:
    """Return the first ``<set>/<split>/<kind>`` or ``<split>/<kind>`` found below a folder, else None."""
    for pattern in ("*/*/flair", "*/flair", "*/*/gt", "*/gt", "flair"):
        for kind in sorted(root.glob(pattern)):
            if kind.is_dir() and any(kind.glob("*_isovox.nii*")):
                return str(kind.relative_to(root))
    return None
