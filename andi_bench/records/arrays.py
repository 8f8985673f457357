"""The arrays of a run record: its score histograms, whole and cut down to what resampling the subjects needs."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.metrics.histograms.grouped import GroupedCounts
from andi_bench.metrics.histograms.histogram import ARRAYS, PackedHistograms, ScoreHistogram
from andi_bench.metrics.histograms.scores import Region

HISTOGRAMS, POOLED = "histograms.npz", "pooled.npz"
TESTED = {"working": "test/", "native": "native/test/"}
"""By grid, how the names of the reported subjects' histograms begin: ``test/<chain>/<subject>/<array>``."""
CALIBRATED = {"working": "val/", "native": "native/val/"}
"""The same of the validation subjects' histograms."""


def write_histograms(folder: Path, histograms: Mapping[str, NDArray[Any]]) -> None:
    """Write ``histograms.npz``, and ``pooled.npz`` from the reported subjects' histograms among them.

    Array by array, so that a lazy mapping is never whole in memory; equal arrays give equal bytes.

    Raises
    ------
    ValueError
        For an array that is not plain, or one that is no part of a histogram though its name says so.
    """
    chains = _Chains()
    with zipfile.ZipFile(folder / HISTOGRAMS, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in histograms:
            array = np.asarray(histograms[name])
            _write_array(archive, name, array)
            chains.add(name, array)
    with zipfile.ZipFile(folder / POOLED, "w", zipfile.ZIP_DEFLATED) as archive:
        for chain, counts in chains.grouped():
            for name, array in counts.arrays().items():
                _write_array(archive, f"{chain}/{name}", array)


def write_pooled(folder: Path, counts: Mapping[str, GroupedCounts]) -> None:
    """Write ``pooled.npz`` alone, packed as small as it goes.

    Parameters
    ----------
    folder : Path
        The record's.
    counts : mapping of str to GroupedCounts
        By the head of their names: ``test/<chain>``, ``native/test/<chain>``.
    """
    with zipfile.ZipFile(folder / POOLED, "w") as archive:
        for head, found in counts.items():
            for name, array in found.arrays().items():
                _write_array(archive, f"{head}/{name}", array, zipfile.ZIP_LZMA)


def read_grouped(
    folder: Path, chain: str, grid: str = "working", region: Region = "brain"
) -> GroupedCounts | None:
    """Read what resampling needs of the reported subjects' histograms; None where there are none.

    Parameters
    ----------
    folder : Path
        The record's.
    chain : str
        Post-processing.
    grid : str
        ``working`` or ``native``.
    region : {"brain", "all"}
        Where voxels count.

    Raises
    ------
    UserError
        When a file cannot be read.
    """
    start = f"{TESTED[grid]}{chain}/"
    # a published record has no histograms: its short form is of the region that it was measured in
    published = not (folder / HISTOGRAMS).is_file()
    short = (folder / POOLED).is_file() and (region == "brain" or published)
    path = folder / (POOLED if short else HISTOGRAMS)
    arrays = _read_arrays(path, start)
    if not arrays:
        return None
    try:
        if short:
            return GroupedCounts.from_arrays(arrays)
        chains = _Chains()
        for name, array in arrays.items():
            chains.add(start + name, array)
        return next((counts for _, counts in chains.grouped(region)), None)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def read_histograms(
    folder: Path, chain: str, grid: str = "working", begin: Mapping[str, str] = TESTED
) -> Iterator[tuple[str, ScoreHistogram]]:
    """Read the subjects' histograms one by one: name and histogram; none where the record has no such file.

    Parameters
    ----------
    folder : Path
        The record's.
    chain : str
        Post-processing.
    grid : str
        ``working`` or ``native``.
    begin : mapping of str to str
        :data:`TESTED` for the reported subjects, :data:`CALIBRATED` for those of the validation split.

    Raises
    ------
    UserError
        When the file cannot be read.
    """
    start, path = f"{begin[grid]}{chain}/", folder / HISTOGRAMS
    if not path.is_file():
        return
    try:
        with np.load(path, allow_pickle=False) as arrays:
            owners = dict.fromkeys(
                name.rpartition("/")[0] for name in arrays.files if name.startswith(start)
            )
            for owner in owners:
                parts = {part: arrays[f"{owner}/{part}"] for part in ARRAYS}
                yield owner.removeprefix(start), ScoreHistogram.from_arrays(parts)
    except Exception as error:  # zipfile, zlib and numpy each raise their own
        raise _unreadable(path, error) from error


class _Chains:
    """The reported subjects' histograms, put together from arrays that come one by one."""

    def __init__(self) -> None:
        self._packed: dict[str, tuple[list[str], PackedHistograms]] = {}
        self._parts: dict[str, NDArray[Any]] = {}
        self._owner = ""

    def add(self, name: str, array: NDArray[Any]) -> None:
        """Take an array; those of one histogram follow each other."""
        owner, _, part = name.rpartition("/")
        if part not in ARRAYS or not owner.startswith(tuple(TESTED.values())):
            return
        if owner != self._owner:
            self._finish()
        self._owner = owner
        self._parts[part] = array

    def grouped(self, region: Region = "brain") -> list[tuple[str, GroupedCounts]]:
        """Return each chain's counts, under the head of its names."""
        self._finish()
        return [
            (chain, GroupedCounts.of(subjects, packed, region))
            for chain, (subjects, packed) in self._packed.items()
        ]

    def _finish(self) -> None:
        if not self._parts:
            return
        start = next(start for start in TESTED.values() if self._owner.startswith(start))
        chain, _, subject = self._owner.removeprefix(start).partition("/")
        subjects, packed = self._packed.setdefault(start + chain, ([], PackedHistograms()))
        packed.append(ScoreHistogram.from_arrays(self._parts))
        subjects.append(subject)
        self._parts = {}


def _write_array(
    archive: zipfile.ZipFile, name: str, array: NDArray[Any], packing: int = zipfile.ZIP_DEFLATED
) -> None:
    if array.dtype.hasobject:
        raise ValueError(f"histogram {name!r}: a plain array wanted, objects found")
    # The fixed date that zipfile's entries begin with: equal arrays give equal bytes.
    entry = zipfile.ZipInfo(f"{name}.npy")
    entry.compress_type = packing
    with archive.open(entry, "w") as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


def _read_arrays(path: Path, start: str = "") -> dict[str, NDArray[Any]]:
    """Read the arrays whose names begin so, by what follows."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = [name for name in arrays.files if name.startswith(start)]
            return {name.removeprefix(start): arrays[name] for name in names}
    except Exception as error:  # zipfile, zlib and numpy each raise their own
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UserError:
    first = (str(error).splitlines() or ["empty"])[0]
    return UserError(f"{path}: not a file of plain arrays ({first})")
