"""The healthy training slices, in one memory-mapped database: written once, read fast in any order."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from datasets.adapters.base import DatasetAdapter, Progress
from datasets.slices import format as store_format
from datasets.slices.builder import build_store
from datasets.subject import Subject

# LMDB must not be opened twice in a process; stores of one folder share what is open.
_open: weakref.WeakValueDictionary[tuple[str, int], lmdb.Environment] = (
    weakref.WeakValueDictionary()
)


class SliceStore:
    """Healthy slices of many subjects, by subject id and then by slice number.

    Made by :meth:`build` or :meth:`open`. May be read from several threads, and after a fork.

    Attributes
    ----------
    folder : Path
        Where it lies.
    shape : (int, int, int)
        (C, H, W) of every slice; H and W are the working grid's X and Y.
    dtype : numpy.dtype
        Of every slice as it is stored, float16 or float32; read, it is float32.
    fingerprint : str
        Hash of what the store was made from: data set, part, subjects' files, options, preprocessing.
    identity : dict
        What was hashed.
    subject_ids : list of str
        All subjects, those without a healthy slice too.
    subjects : array of str (N,)
        Subject of each slice.
    z, depth : int64 array (N,)
        Slice number, and number of slices of that volume.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        manifest = _read_manifest(self.folder)
        try:
            self.identity: dict[str, Any] = manifest["identity"]
            self.fingerprint: str = manifest["fingerprint"]
            channels, height, width = (int(extent) for extent in manifest["shape"])
            self._least = store_format.packed_size(manifest["shape"], manifest["dtype"])
            self.dtype = np.dtype(manifest["dtype"])
            self._rows: list[dict[str, Any]] = manifest["subjects"]
            counts = [len(row["slices"]) for row in self._rows]
            self.subject_ids: list[str] = [row["id"] for row in self._rows]
            self.z = np.array([z for row in self._rows for z in row["slices"]], dtype=np.int64)
            self.depth = np.repeat([int(row["depth"]) for row in self._rows], counts).astype(
                np.int64
            )
        except (KeyError, TypeError, ValueError) as error:
            raise store_format.damaged(self.folder, "its manifest is not complete") from error
        if store_format.identity_hash(self.identity) != self.fingerprint:
            raise store_format.damaged(self.folder, "its manifest was changed")
        self.shape = (channels, height, width)
        self._number = np.repeat(np.arange(len(self._rows)), counts)
        self.subjects = np.repeat(np.array(self.subject_ids, dtype=str), counts)
        self._checked = np.zeros(len(self.z), dtype=bool)
        self._env = self._environment()

    @classmethod
    def open(cls, folder: Path) -> SliceStore:
        """Open a finished store.

        Raises
        ------
        UserError
            When there is none, it is not finished, or it is damaged.
        """
        return cls(folder)

    @classmethod
    def build(
        cls,
        folder: Path,
        adapter: DatasetAdapter,
        subjects: Sequence[Subject],
        config: PreprocessingConfig,
        workers: int | None = None,
        progress: Progress | None = None,
        *,
        part: str = "train",
    ) -> SliceStore:
        """Build the store of some subjects, or find it built.

        Parameters
        ----------
        folder : Path
            Holds the stores; each has a folder of its own in it, ``<data set>-<part>-<hash>``.
        adapter : DatasetAdapter
            Reads the subjects.
        subjects : sequence of Subject
            Their order does not matter.
        config : PreprocessingConfig
            How scans become slices.
        workers : int or None
            Threads that read; None: one a core, at most 8. The store does not depend on it.
        progress : callable or None
            Called with the number of subjects done.
        part : str
            Name of the split, for the folder's name.

        Raises
        ------
        UserError
            For a subject that cannot be read or has no mask, when no slice at all is healthy, and when the
            disk is full. Finished subjects are kept for the next call.
        """
        return cls(build_store(folder, adapter, subjects, config, workers, progress, part))

    def __len__(self) -> int:
        """Return the number of slices."""
        return len(self.z)

    def read(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Read slices by their place, in any order and any number of times.

        Parameters
        ----------
        indices : integers (N,)
            In [0, len(self)).

        Returns
        -------
        float32 (N, C, H, W)

        Raises
        ------
        IndexError
            For an index out of range.
        UserError
            When a slice is damaged. Checksums are compared when a slice is read for the first time.
        """
        places = np.asarray(indices, dtype=np.int64)
        if places.size and (places.min() < 0 or places.max() >= len(self)):
            raise IndexError(f"slice {places.max()} of {len(self)}")
        out = np.empty((len(places), *self.shape), dtype=np.float32)
        with self._env.begin(buffers=True) as transaction:
            for row, place in zip(out, places.tolist(), strict=True):
                row[...] = self._slice(transaction, place)
        return out

    def iter_subjects(self) -> Iterator[tuple[str, int, NDArray[np.int64], NDArray[np.float32]]]:
        """Iterate over the subjects that have healthy slices, in order of their ids.

        Yields
        ------
        subject : str
            Id.
        depth : int
            Number of slices of its volume.
        z : int64 (N,)
            Numbers of its healthy slices, rising.
        images : float32 (N, C, H, W)
            The slices.
        """
        first = 0
        for row in self._rows:
            last = first + len(row["slices"])
            if last > first:
                yield (
                    row["id"],
                    int(row["depth"]),
                    self.z[first:last],
                    self.read(range(first, last)),
                )
            first = last

    def verify(self) -> None:
        """Compare the checksum of every slice; reads the whole store.

        Raises
        ------
        UserError
            When one is damaged.
        """
        self._checked[:] = False
        for _ in self.iter_subjects():
            pass

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["folder"])  # type: ignore[misc]

    def _environment(self) -> lmdb.Environment:
        path = self.folder / store_format.DATABASE
        try:
            stat = path.stat()
        except OSError as error:
            raise store_format.damaged(self.folder, f"{path.name}: {error.strerror}") from error
        # Before the file is mapped: reading beyond its end would end the process without a word.
        if stat.st_size < self._least * len(self):
            raise store_format.damaged(
                self.folder, f"{path.name} has {stat.st_size} bytes, more wanted"
            )
        key = (str(path.resolve()), stat.st_ino)
        known = _open.get(key)
        if known is not None:
            self._look_over(known)
            return known
        # Read-ahead helps a store that fits in memory, and floods it with one that does not.
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        ahead = stat.st_size < memory // 2
        try:
            env = lmdb.open(str(path), subdir=False, readonly=True, lock=False, readahead=ahead)
        except (lmdb.Error, OSError) as error:
            raise store_format.damaged(self.folder, f"{path.name}: {error}") from error
        try:
            self._look_over(env)
        except BaseException:
            env.close()
            raise
        _open[key] = env
        return env

    def _look_over(self, env: lmdb.Environment) -> None:
        wanted = 1 + len(self._rows) + len(self)
        try:
            stat = env.stat()
            last_page = int(env.info()["last_pgno"])
            store_format.require_whole_file(self.folder, last_page, int(stat["psize"]))
            if stat["entries"] != wanted:
                raise store_format.damaged(
                    self.folder, f"{stat['entries']} entries, {wanted} wanted"
                )
            if len(self):
                with env.begin(buffers=True) as transaction:
                    self._slice(transaction, 0)
                    self._slice(transaction, len(self) - 1)
        except lmdb.Error as error:
            raise store_format.damaged(self.folder, str(error)) from error

    def _slice(self, transaction: lmdb.Transaction, place: int) -> NDArray[Any]:
        key = store_format.slice_key(int(self._number[place]), int(self.z[place]))
        found = store_format.unpack(
            transaction.get(key), self.shape, self.folder, check=not self._checked[place]
        )
        self._checked[place] = True
        return found


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / store_format.MANIFEST
    if not path.is_file():
        raise UserError(f"{folder}: no finished slice store (no {store_format.MANIFEST})")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise store_format.damaged(folder, f"{store_format.MANIFEST} cannot be read") from error
    if not isinstance(manifest, dict) or manifest.get("version") != store_format.VERSION:
        raise store_format.damaged(folder, f"{store_format.MANIFEST} is of another version")
    return manifest
