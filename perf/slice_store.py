"""Speed of reading scans and of the slice store, on one core.

``python -m perf.slice_store [--slices N] [--folder DIR] [--scans DIR]``: writes a store of N 128x128x4 slices
and measures sequential and random reading, first (checksums are compared) and again. With ``--scans``, a
folder of subjects in the BraTS layout or a prepared Shifts-MS one, also the stages of reading them.

Goals: 200 MB/s sequential, 2,000 random slices/s; building bound by decompression.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from datasets.adapters.folder import FolderAdapter
from datasets.adapters.shifts import ShiftsAdapter
from datasets.scans.preprocess import training_slices
from datasets.scans.scan import read_scan
from datasets.slices import builder
from datasets.slices.builder import Packed
from datasets.slices.format import pack
from datasets.slices.store import SliceStore
from datasets.subject import Subject

PER_SUBJECT = 80
CONFIG = PreprocessingConfig()


class _Noise(FolderAdapter):
    """Subjects without files, for the store alone."""

    def content(self, subject: Subject, modalities: object) -> str:
        return subject.id


def _noise_slices(adapter: FolderAdapter, subject: Subject, config: PreprocessingConfig) -> Packed:
    rng = np.random.default_rng(int(subject.id))
    image = rng.random((len(config.modalities), config.size, config.size), dtype=np.float32)
    values = [pack(image + np.float32(z), config.store_dtype) for z in range(PER_SUBJECT)]
    return 155, list(range(PER_SUBJECT)), values


def _sequential(store: SliceStore) -> None:
    for _ in store.iter_subjects():
        pass


def _random(store: SliceStore, order: NDArray[np.int64], batch: int = 32) -> None:
    for first in range(0, len(order), batch):
        store.read(order[first : first + batch])


def _show(what: str, amount: float, unit: str, work: Callable[[], None]) -> None:
    """Print a rate by the clock, and by this core's own time, which other work does not touch."""
    clock, core = time.perf_counter(), time.process_time()
    work()
    clock, core = time.perf_counter() - clock, time.process_time() - core
    print(
        f"  {what:<20} {amount / clock:8.0f} {unit}/s by the clock, {amount / core:8.0f} by core time"
    )


def measure_store(folder: Path, slices: int) -> None:
    builder.pack_subject = _noise_slices
    subjects = [Subject(f"{k:05d}", {}) for k in range(-(-slices // PER_SUBJECT))]
    for dtype in ("float32", "float16"):
        config = CONFIG.model_copy(update={"store_dtype": dtype})
        start = time.perf_counter()
        store = SliceStore.build(folder, _Noise(f"noise-{dtype}", folder), subjects, config, 1)
        written = time.perf_counter() - start
        size = (store.folder / "slices.lmdb").stat().st_size / 1e6
        print(
            f"{dtype}: {len(store)} slices, {size:.0f} MB, made and written at {size / written:.0f} MB/s"
        )
        order = np.random.default_rng(0).permutation(len(store))
        read = len(store) * 4 * np.prod(store.shape) / 1e6
        _show("random, first time", len(store), "slices", lambda s=store, o=order: _random(s, o))
        _show("random, again", len(store), "slices", lambda s=store, o=order: _random(s, o))
        _show("sequential, again", read, "MB", lambda s=store: _sequential(s))
        _show("sequential, checked", read, "MB", store.verify)


def measure_reading(root: Path) -> None:
    adapter = ShiftsAdapter("scans", root)
    for subject in adapter.subjects()[:4]:
        files = [*subject.paths.values(), *([subject.mask] if subject.mask else [])]
        size = sum(path.stat().st_size for path in files) / 1e6
        marks = [time.process_time()]
        scan = read_scan(subject, CONFIG.modalities, adapter.options.rule)
        marks.append(time.process_time())
        scan.scales(CONFIG.quantile)
        marks.append(time.process_time())
        scan.brain()
        marks.append(time.process_time())
        slices = training_slices(scan, CONFIG)
        marks.append(time.process_time())
        for place in range(len(slices.numbers)):
            pack(slices.images[..., place], CONFIG.store_dtype)
        marks.append(time.process_time())
        read, scale, brain, whole, packed = np.diff(marks) * 1000
        print(
            f"{subject.id}: {size:.1f} MB compressed; ms of core time: read and check {read:.0f}, quantiles {scale:.0f}, "
            f"brain {brain:.0f}, resize and normalise {whole - brain:.0f}, "
            f"pack {len(slices.numbers)} slices {packed:.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--slices", type=int, default=4000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--scans", type=Path, default=None)
    options = parser.parse_args()
    if options.scans is not None:
        measure_reading(options.scans)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure_store(Path(folder), options.slices)


if __name__ == "__main__":
    main()
