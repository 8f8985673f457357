"""One subject's scan on the working grid, with what is needed to bring a map back to the scan's own grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from andi_bench.geometry import voxel_sizes

MODALITIES: tuple[str, ...] = ("flair", "t1", "t1ce", "t2")
"""Channel order of every image in this project."""


@dataclass(frozen=True)
class NativeGrid:
    """The scan's own grid, and how the working grid was cut out of it.

    Parameters
    ----------
    shape : tuple of int
        (X, Y, Z) of the file as stored.
    affine : float64 (4, 4)
        Voxel to world, mm, as stored in the file.
    orientation : float64 (3, 2)
        nibabel orientation transform from the file's axes to the working orientation (LPS).
    padding : ((before, after), (before, after))
        Voxels of 0 added to x and y, after re-orientation, to make the axial plane square; below 0: voxels cut off.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    orientation: NDArray[np.float64]
    padding: tuple[tuple[int, int], tuple[int, int]]


class BeforeResizing(Protocol):
    """A scan, read again, that is to be changed on its own grid."""

    def __call__(
        self, modality: str, change: Callable[[NDArray[Any]], NDArray[np.floating]]
    ) -> NDArray[np.float32]:
        """Change a modality's foreground on the scan's own grid, and bring the result to the working grid.

        Parameters
        ----------
        modality : str
            Which image.
        change : callable
            From the voxels > 0 of the scan, (N,), not normalised, to what takes their place, (N,). All others become 0.

        Returns
        -------
        float32 (X, Y, Z)
            Resized as images are.
        """


@dataclass(frozen=True)
class LesionLoss:
    """The lesions of one scan's own mask, and those without a voxel on the working grid.

    Parameters
    ----------
    total : int
        Lesions: 26-connected components.
    lost : tuple of (ml, (x, y, z))
        Volume and centre in the world, mm, of each lost one.
    """

    total: int
    lost: tuple[tuple[float, tuple[float, float, float]], ...] = ()


@dataclass(frozen=True)
class Volume:
    """A subject's preprocessed scan.

    Parameters
    ----------
    subject : str
        Identifier, unique within the data set.
    image : float32 (C, X, Y, Z)
        Channels in the order of ``modalities``; each taken relative to its background and divided by the 99th
        percentile of its foreground (voxels > 0 then), so about [0, 1] with a tail above; 0 outside the brain or
        slightly negative.
    brain : bool (X, Y, Z)
        Brain mask.
    lesion : bool (X, Y, Z) or None
        Lesion mask; None where the data set has none for this subject.
    affine : float64 (4, 4)
        Voxel of the working grid to world, mm.
    native : NativeGrid
        The scan's own grid.
    modalities : tuple of str
        Names of the channels.
    site : str
        Scanner or hospital, "" where unknown.
    attributes : mapping
        Further columns of the split's CSV (age, sex, ...).
    loss : LesionLoss or None
        Lesions that the working grid loses; None where it was not looked for, or no lesion is known.
    ignore : bool (X, Y, Z) or None
        Voxels that count for nobody, neither lesion nor healthy, in no figure; None where there are none.
    notes : tuple of str
        What a reader should know of the files.
    before_resizing : callable or None
        For what must be done on the scan's own grid: reads the scan again. None where there is no scan behind the volume.
    """

    subject: str
    image: NDArray[np.float32]
    brain: NDArray[np.bool_]
    lesion: NDArray[np.bool_] | None
    affine: NDArray[np.float64]
    native: NativeGrid
    modalities: tuple[str, ...] = MODALITIES
    site: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    loss: LesionLoss | None = None
    ignore: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()
    before_resizing: BeforeResizing | None = field(default=None, compare=False, repr=False)

    @property
    def healthy(self) -> NDArray[np.bool_]:
        """Voxels of the brain that are neither lesion, where that is known, nor ignored, bool (X, Y, Z)."""
        out = self.brain if self.lesion is None else self.brain & ~self.lesion
        return out if self.ignore is None else out & ~self.ignore

    @property
    def shape(self) -> tuple[int, int, int]:
        """(X, Y, Z) of the working grid."""
        x, y, z = self.brain.shape
        return x, y, z

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel of the working grid, mm."""
        return voxel_sizes(self.affine)
