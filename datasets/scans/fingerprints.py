"""What identifies a scan: hashes of voxels and of files, remembered as long as a file stays untouched."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)

from andi_bench.errors import UserError
from datasets.scans.lesion_mask import mask_facts
from datasets.scans.nifti import NiftiScan, read_grid, read_nifti
from datasets.scans.read_otherwise import READING, reading_of, reading_of_file

READ_SINCE = f"reading {READING}"
"""The kind of what :func:`datasets.scans.read_otherwise.reading_of` says: asked again of every file when that changes."""


def voxel_hash(path: Path) -> dict[str, str]:
    """Hash the voxels of a scan, 32 hexadecimal digits; and say how it is read, as it is read just now.

    Two files of the same scan agree whatever their compression, number format, header or axis order.

    Raises
    ------
    UserError
        As :func:`datasets.scans.nifti.read_nifti`, and for a file with one value in every voxel: two such files are
        not one scan, but none.
    """
    scan = read_nifti(path)
    low, high = scan.values.min(), scan.values.max()
    if low == high:
        what = "zero" if high == 0 else f"{high:g}"
        raise UserError(f"{path}: every voxel is {what}: a scan wanted")
    return {"voxels": scan_hash(scan), READ_SINCE: f"{reading_of(scan):032x}"}


def scan_hash(scan: NiftiScan) -> str:
    """Hash the voxels of a scan that is read already; see :func:`voxel_hash`."""
    turn = ornt_transform(io_orientation(scan.affine), axcodes2ornt("LPS"))
    values = apply_orientation(scan.values, turn)
    state = hashlib.blake2b(repr(values.shape).encode(), digest_size=16)
    # + 0 makes -0.0 the 0.0 that another format would hold
    state.update((np.ascontiguousarray(values.T, dtype="<f4") + np.float32(0)).data)
    return state.hexdigest()


def grid_hash(path: Path) -> str:
    """Hash where a scan's voxels lie, to a hundredth of a millimetre, in whichever direction its axes run.

    Files of one grid differ where they lie on either side of a rounding; equal hashes are one grid.

    Raises
    ------
    UserError
        As :func:`datasets.scans.nifti.read_nifti`.
    """
    shape, affine = read_grid(path)
    turn = ornt_transform(io_orientation(affine), axcodes2ornt("LPS"))
    order = [int(axis) for axis in np.argsort(turn[:, 0])]
    turned = np.round(affine @ inv_ornt_aff(turn, shape), 2) + 0.0  # -0.0 is 0.0
    text = repr(([shape[axis] for axis in order], turned.tolist()))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def file_hash(path: Path) -> str:
    """Hash a file's bytes as they are, 32 hexadecimal digits.

    Raises
    ------
    UserError
        When it cannot be read.
    """
    try:
        with path.open("rb") as file:
            state = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    return state.hexdigest()


def read_since(path: Path) -> str:
    """Return :func:`datasets.scans.read_otherwise.reading_of_file` as 32 hexadecimal digits."""
    return f"{reading_of_file(path):032x}"


SETTLED = 2.5
"""Seconds since its last change after which a file's hash is kept: the coarsest file systems tell times to two seconds,
and a file that is written twice within one such step looks the same."""


class FingerprintCache:
    """Remembers hashes by a file's place, size, number and times of change.

    The time of the last change of any kind (ctime) cannot be set by hand: a file that is replaced by another of its size,
    with its time, has another. What was changed a moment ago, or after the clock was set back in times to come, is kept
    for this object's life alone.

    Parameters
    ----------
    path : Path or None
        File with one line of JSON a hash, appended to; damaged lines are passed over. None: only memory.
    """

    _KINDS: ClassVar[dict[str, Callable[[Path], str | dict[str, str]]]] = {
        "voxels": voxel_hash,
        "file": file_hash,
        "labels": mask_facts,
        "mask": mask_facts,
        "grid": grid_hash,
        READ_SINCE: read_since,
    }
    """What is found of a file; where one reading tells several kinds, all of them are remembered."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._known: dict[str, str] | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Path | None]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]

    def hash(self, path: Path, kind: str) -> str:
        """Return the hash of a file; safe to call from several threads.

        Parameters
        ----------
        path : Path
            The file.
        kind : str
            "voxels", "file", "grid", "labels", "mask" or :data:`READ_SINCE`.

        Raises
        ------
        UserError
            When the file cannot be read.
        """
        state, _ = _state(path)
        key = f"{kind}|{state}"
        with self._lock:
            if self._known is None:
                self._known = self._read()
            if key in self._known:
                return self._known[key]
        found = self._KINDS[kind](path)  # outside the lock: this is what takes time
        after, settled = _state(path)
        if after != state:  # written to while it was read
            return self.hash(path, kind)
        told = {kind: found} if isinstance(found, str) else found
        with self._lock:
            for name, value in told.items():
                other = f"{name}|{state}"
                if settled and self._known.get(other) != value:
                    self._append(other, value)
                self._known[other] = value
        return told[kind]

    def _read(self) -> dict[str, str]:
        known: dict[str, str] = {}
        if self.path is None or not self.path.is_file():
            return known
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return known
        for line in lines:
            try:
                key, value = json.loads(line)
            except (ValueError, TypeError):
                continue  # the end of a line that a killed process wrote
            if isinstance(key, str) and isinstance(value, str) and len(value) == 32:
                known[key] = value
        return known

    def _append(self, key: str, value: str) -> None:
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                # The first break ends a torn line, should there be one.
                file.write("\n" + json.dumps([key, value]) + "\n")
        except OSError:
            self.path = None  # a memory that cannot be written costs time, never a result


def _state(path: Path) -> tuple[str, bool]:
    """Return what a hash is remembered by, and whether the file has been left alone for a while."""
    try:
        stat = path.stat()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    times = f"{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ctime_ns}"
    settled = max(stat.st_mtime, stat.st_ctime) + SETTLED < time.time()
    return f"{path.resolve()}|{stat.st_ino}|{times}", settled
