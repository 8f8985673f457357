"""Builds a slice store: subjects read in parallel, written one transaction each, resumed after a kill."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from andi_bench.executor import default_workers
from andi_bench.files import write_atomically
from andi_bench.locks import exclusive
from andi_bench.names import counted
from datasets.adapters.base import DatasetAdapter, Progress
from datasets.scans import preprocess as preprocessing
from datasets.slices import format as store_format
from datasets.subject import Subject

FIRST_MAP_SIZE = 64 << 20
"""Bytes that a new database may grow to before its map is doubled."""

Packed = tuple[int, list[int], list[bytes]]
"""Depth of a subject's volume, numbers of its healthy slices, and these as they are stored."""


def build_store(
    folder: Path,
    adapter: DatasetAdapter,
    subjects: Sequence[Subject],
    config: PreprocessingConfig,
    workers: int | None = None,
    progress: Progress | None = None,
    part: str = "train",
) -> Path:
    """Build a store, or the rest of one, and return its folder; see :meth:`SliceStore.build`."""
    if not subjects:
        raise UserError(f"data set '{adapter.name}': no subject in '{part}': at least one wanted")
    ordered = sorted(subjects, key=lambda subject: subject.id)
    identity = store_identity(adapter, ordered, config, part)
    target = folder / _folder_name(adapter, part, store_format.identity_hash(identity))
    if (target / store_format.MANIFEST).is_file():
        return target
    try:
        target.mkdir(parents=True, exist_ok=True)
        with exclusive(target):
            if not (target / store_format.MANIFEST).is_file():  # nobody else has built it meanwhile
                _build(target, identity, adapter, ordered, config, workers, progress)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def store_folder(
    folder: Path,
    adapter: DatasetAdapter,
    subjects: Sequence[Subject],
    config: PreprocessingConfig,
    part: str = "train",
) -> tuple[Path, str]:
    """Return the folder that a store lies in, or will lie in, and its fingerprint; nothing is built."""
    ordered = sorted(subjects, key=lambda subject: subject.id)
    fingerprint = store_format.identity_hash(store_identity(adapter, ordered, config, part))
    return folder / _folder_name(adapter, part, fingerprint), fingerprint


def _folder_name(adapter: DatasetAdapter, part: str, fingerprint: str) -> str:
    return f"{adapter.name}-{part}-{fingerprint[:12]}"


def _build(
    target: Path,
    identity: dict[str, Any],
    adapter: DatasetAdapter,
    subjects: Sequence[Subject],
    config: PreprocessingConfig,
    workers: int | None,
    progress: Progress | None,
) -> None:
    with closing(_Writer(target, identity)) as writer:
        _fill(writer, adapter, subjects, config, workers, progress)
        rows = [writer.row(number) for number in range(len(subjects))]
    if not any(row["slices"] for row in rows):
        raise UserError(
            f"data set '{adapter.name}': none of {counted(len(subjects), 'subject')} has a healthy slice: at "
            "least one lesion-free slice with brain wanted"
        )
    _finish(target, identity, config, rows)


def store_identity(
    adapter: DatasetAdapter, subjects: Sequence[Subject], config: PreprocessingConfig, part: str
) -> dict[str, Any]:
    """Return what identifies a store: the same on every machine that holds the same files."""
    return {
        "format": store_format.VERSION,
        "preprocessing_version": preprocessing.VERSION,
        "dataset": adapter.name,
        "part": part,
        "options": adapter.options.model_dump(mode="json"),
        **adapter.revision(),
        **preprocessing.preprocessing_revision(config),
        "preprocessing": config.model_dump(mode="json"),
        "subjects": [[s.id, adapter.content(s, config.modalities)] for s in subjects],
    }


def _fill(
    writer: _Writer,
    adapter: DatasetAdapter,
    subjects: Sequence[Subject],
    config: PreprocessingConfig,
    workers: int | None,
    progress: Progress | None,
) -> None:
    missing = [number for number in range(len(subjects)) if writer.row(number) is None]
    done = len(subjects) - len(missing)
    jobs = [(number, subjects[number]) for number in missing]
    for number, packed in _packed(adapter, jobs, config, workers):
        writer.put(number, subjects[number].id, packed)
        done += 1
        if progress is not None:
            progress("slice store", done, len(subjects))


def _packed(
    adapter: DatasetAdapter,
    jobs: Sequence[tuple[int, Subject]],
    config: PreprocessingConfig,
    workers: int | None,
) -> Iterator[tuple[int, Packed]]:
    count = min(len(jobs), workers or default_workers())
    if count <= 1:
        for number, subject in jobs:
            yield number, pack_subject(adapter, subject, config)
        return
    # Threads: files, zlib, numpy and torch let each other run, while processes would cost seconds to start, and a
    # copy of every slice to hand over.
    with _one_torch_thread_each(), ThreadPoolExecutor(count) as pool:
        waiting = iter(jobs)
        running: dict[Future[Packed], int] = {}
        try:
            while True:
                # Few at a time: what is read and not yet written lies in memory.
                while len(running) < count + 1 and (job := next(waiting, None)) is not None:
                    running[pool.submit(pack_subject, adapter, job[1], config)] = job[0]
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_torch_thread_each() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def pack_subject(adapter: DatasetAdapter, subject: Subject, config: PreprocessingConfig) -> Packed:
    """Read a subject and return its healthy slices as they are stored.

    Raises
    ------
    UserError
        For a subject that cannot be read, has no mask, or is too bright for float16.
    """
    scan = adapter.scan_for(subject, config)
    slices = preprocessing.training_slices(scan, config)
    images = slices.images
    if config.crop_box is not None:
        images = images[(slice(None), *(slice(*part) for part in config.crop_box))]
    try:
        values = [
            store_format.pack(images[..., place], config.store_dtype)
            for place in range(len(slices.numbers))
        ]
    except ValueError as error:
        raise UserError(
            f"subject {subject.id}: {error}: preprocessing.store_dtype: float32 wanted"
        ) from error
    return slices.depth, slices.numbers.tolist(), values


class _Writer:
    """The database while it is built."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = folder
        path = folder / store_format.DATABASE
        size = path.stat().st_size if path.is_file() else 0
        try:
            self._env = lmdb.open(
                str(path),
                subdir=False,
                map_size=max(FIRST_MAP_SIZE, 2 * size),
                # The folder is ours alone already, and not every file system has the locks that LMDB wants.
                lock=False,
            )
        except (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError) as error:
            raise store_format.damaged(folder, f"{store_format.DATABASE}: {error}") from error
        except lmdb.Error as error:
            raise UserError(f"slice store {folder}: cannot be opened ({error})") from error
        try:
            if size:
                store_format.require_whole_file(
                    folder, int(self._env.info()["last_pgno"]), int(self._env.stat()["psize"])
                )
            text = store_format.canonical(identity)
            found = self._get(store_format.IDENTITY_KEY)
            if found is None:
                self._write([(store_format.IDENTITY_KEY, text)])
            elif found != text:
                raise store_format.damaged(folder, "it was made from other data")
        except BaseException:
            self._env.close()
            raise

    def row(self, number: int) -> Any:
        """Return the record of a subject, None where it is not yet written."""
        found = self._get(store_format.subject_key(number))
        try:
            return None if found is None else json.loads(found)
        except ValueError as error:
            raise store_format.damaged(self.folder, "a subject's record is not JSON") from error

    def put(self, number: int, subject: str, packed: Packed) -> None:
        """Write a subject: all of it or nothing."""
        depth, slices, values = packed
        record = {"id": subject, "depth": depth, "slices": slices}
        pairs = [
            (store_format.slice_key(number, z), value)
            for z, value in zip(slices, values, strict=True)
        ]
        self._write([*pairs, (store_format.subject_key(number), store_format.canonical(record))])

    def close(self) -> None:
        """Close the database."""
        self._env.close()

    def _get(self, key: bytes) -> bytes | None:
        try:
            with self._env.begin() as transaction:
                found: bytes | None = transaction.get(key)
                return found
        except lmdb.Error as error:
            raise store_format.damaged(self.folder, str(error)) from error

    def _write(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        while True:
            try:
                with self._env.begin(write=True) as transaction:
                    for key, value in pairs:
                        transaction.put(key, value)
                return
            except lmdb.MapFullError:
                self._env.set_mapsize(2 * int(self._env.info()["map_size"]))
            except lmdb.Error as error:
                raise UserError(
                    f"slice store {self.folder}: cannot be written ({error}); finished subjects are kept"
                ) from error


def _finish(
    target: Path,
    identity: dict[str, Any],
    config: PreprocessingConfig,
    rows: Sequence[dict[str, Any]],
) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["Subject_ID", "Slice"])
    writer.writerows([row["id"], z] for row in rows for z in row["slices"])
    write_atomically(target / store_format.TABLE, buffer.getvalue().encode())
    manifest = {
        "version": store_format.VERSION,
        "fingerprint": store_format.identity_hash(identity),
        "shape": [len(config.modalities), *config.plane],
        "dtype": config.store_dtype,
        "modalities": list(config.modalities),
        "slices": int(np.sum([len(row["slices"]) for row in rows])),
        "identity": identity,
        "subjects": list(rows),
    }
    text = json.dumps(manifest, indent=1, sort_keys=False)
    write_atomically(target / store_format.MANIFEST, text.encode())
