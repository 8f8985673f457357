"""Which files are read otherwise than they once were: what was made of them then is not to be found for today's.

The bytes of such a file are what they were, so its hash does not tell. :data:`datasets.scans.preprocess.VERSION` would
tell of all files alike; but ordinary scans are read as ever, and what was made of them stays good.

Version 2 of reading differs from version 1 in

- the background: a constant other than 0, or one that lies among the foreground's values
  (:mod:`datasets.scans.foreground`). Version 1 took every value above 0 for foreground;
- the unit of the header: metres and microns (:mod:`datasets.scans.header_fields`). Version 1 took them for mm;
- what is refused: voxels that no head has, an affine that nothing gives, a background that cannot be told.
"""

from __future__ import annotations

from pathlib import Path

from andi_bench.errors import UserError
from datasets.scans.foreground import relative_to_background
from datasets.scans.nifti import NiftiScan, read_nifti

READING = 2
"""Version of reading an image: raised when some files are read otherwise, with a clause in :func:`reading_of`."""
AS_EVER = 1
"""The version of files that every version reads alike."""


def reading_of(scan: NiftiScan) -> int:
    """Return the first version that reads an image as it is read today: 1 for an ordinary scan.

    Parameters
    ----------
    scan : NiftiScan
        As :func:`datasets.scans.nifti.read_nifti` returns it.
    """
    if scan.millimetres != 1:
        return 2
    try:
        values = relative_to_background(scan).values
    except UserError:
        return 2
    return AS_EVER if values is scan.values else 2


def reading_of_file(path: Path) -> int:
    """Return what :func:`reading_of` does of a file; of one that is refused today, the version that refuses it."""
    try:
        return reading_of(read_nifti(path))
    except UserError:
        return 2
