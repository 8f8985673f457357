"""BraTS 2021 as it is unpacked, and its relatives of other years."""

from __future__ import annotations

from pydantic import Field

from datasets.adapters.base import AdapterOptions
from datasets.adapters.folder import FolderAdapter


class Brats21Options(AdapterOptions):
    """A tumour mask has its known labels and no other: anything else is a file of something else."""

    lesion_labels: tuple[int, ...] | None = Field(
        (1, 2, 3, 4),
        description="necrosis 1, oedema 2, enhancing tumour 4 (3 since BraTS 2023)",
    )


class Brats21Adapter(FolderAdapter):
    """BraTS 2021: ``<root>/BraTS2021_00000/BraTS2021_00000_flair.nii.gz``; see :class:`FolderAdapter`."""

    Options = Brats21Options
    layout = "BraTS2021_<n>/BraTS2021_<n>_{flair,t1,t1ce,t2,seg}.nii.gz"
