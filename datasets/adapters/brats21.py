"""BraTS 2021 as it is unpacked, and its relatives of other years."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import Field

from andi_bench.errors import UserError
from andi_bench.executor import default_workers
from datasets.adapters.base import AdapterOptions
from datasets.adapters.folder import FolderAdapter
from datasets.names import is_of_2023
from datasets.scans.lesion_mask import LesionRule, brats_cavity_rule
from datasets.subject import Subject


class Brats21Options(AdapterOptions):
    """A tumour mask has its known labels and no other: anything else is a file of something else."""

    lesion_labels: tuple[int, ...] | None = Field(
        (1, 2, 3, 4),
        description="necrosis 1, oedema 2, enhancing tumour 4 (3 since BraTS 2023, where 4 beside it is a resection "
        "cavity, which is ignored)",
    )


class Brats21Adapter(FolderAdapter):
    """BraTS 2021: ``<root>/BraTS2021_00000/BraTS2021_00000_flair.nii.gz``; see :class:`FolderAdapter`."""

    Options = Brats21Options
    _resected: bool | None = None

    layout = "BraTS2021_<n>/BraTS2021_<n>_{flair,t1,t1ce,t2,seg}.nii.gz"

    def rule_of(self, subject: Subject) -> LesionRule:
        """Return what a mask's values mean; the resection cavity of BraTS 2024 and later counts for nobody.

        Label 4 is enhancing tumour up to BraTS 2021, which knew no label 3. Where the masks of one data set hold both, 3
        is enhancing tumour and 4 the cavity of BraTS 2024 and 2025; so it is where files bear the names of 2023 and
        later, whose enhancing tumour is 3. What the options or a preparation say comes first.
        """
        rule = super().rule_of(subject)
        plain = Brats21Options().rule
        return brats_cavity_rule() if rule == plain and self._has_cavities() else rule

    def _has_cavities(self) -> bool:
        if self._resected is None:
            masks = [s.mask for s in self._subjects_on_disk() if s.mask is not None]
            with ThreadPoolExecutor(default_workers()) as pool:
                found = {label for labels in pool.map(self._labels_of, masks) for label in labels}
            dashed = any(is_of_2023(mask.name) for mask in masks)
            self._resected = 4 in found and (3 in found or dashed)
        return self._resected

    def _labels_of(self, mask: Path) -> tuple[int, ...]:
        try:
            held = int(self._hashes.hash(mask, "labels"), 16)
        except UserError:  # it is told when it is read
            return ()
        return tuple(label for label in range(1, 127) if held >> label & 1)
