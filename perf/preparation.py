"""Seconds a subject for each stage of a preparation, beside dipy's affine registration.

``python -m perf.preparation [--raw DIR] [--subjects N] [--no-dipy]``: the published layout of Shifts-MS (default: the
patients beside the checkout), registered to ICBM on the BraTS grid. Core time is this process's own, which other
work on the machine hardly touches; ratios are from one run. dipy (``pip install dipy``) is called as in published
preparations: centres of mass, then translation, rigid, affine; mutual information of 32 bins, level_iters
10000/1000/100, sigmas 3/1/0, factors 4/2/1.

Goals: registration at least 3 times as fast as dipy's at equal or better overlap of the brains; the slice store of
subjects of BraTS's size at the speed of decompression.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from datasets.adapters.shifts import ShiftsAdapter
from datasets.prepare.histogram.brain_quantiles import QUANTILES
from datasets.prepare.histogram.match_step import match_all, registered_subjects
from datasets.prepare.place.shifts_layout import find_raw, organise, organised_subjects
from datasets.prepare.register.affine import register_affine, resample
from datasets.prepare.register.register_step import register
from datasets.prepare.register.registration_template import RegistrationTemplate, icbm_template
from datasets.prepare.sidecar import Reference, ReferenceFile
from datasets.prepare.step import FoundSubject, StepOutcome
from datasets.scans.brain import brain_of
from datasets.scans.nifti import NiftiScan, read_nifti
from datasets.slices.builder import pack_subject
from datasets.slices.store import SliceStore

Result = TypeVar("Result")
RAW = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "shifts_ms"


def _timed(work: Callable[[], Result]) -> tuple[Result, float, float]:
    """Return a result with the seconds it took: by the clock, and by this core's own time."""
    clock, core = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - clock, time.process_time() - core


def _best(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of the quickest of three times: by the clock, and by this core's own time."""
    found = [_timed(work)[1:] for _ in range(3)]
    return min(clock for clock, _ in found), min(core for _, core in found)


def _show(what: str, clock: float, core: float | None, tail: str = "") -> None:
    cores = "" if core is None else f"{core:7.2f} s core time"
    print(f"  {what:<42} {clock:7.2f} s by the clock  {cores}{tail}", flush=True)


def _dice(
    scan: NiftiScan, to_template: NDArray[np.float64], template: RegistrationTemplate
) -> float:
    brain = brain_of(scan.affine, scan.values)
    moved = resample(brain, scan.affine, to_template, template, nearest=True)
    return float(2 * (moved & template.brain).sum() / (moved.sum() + template.brain.sum()))


def _dipy(scan: NiftiScan, template: RegistrationTemplate) -> NDArray[np.float64]:
    """Register as published; return scan world to template world."""
    from dipy.align.imaffine import (
        AffineRegistration,
        MutualInformationMetric,
        transform_centers_of_mass,
    )
    from dipy.align.transforms import (
        AffineTransform3D,
        RigidTransform3D,
        TranslationTransform3D,
    )

    static = np.asarray(template.values, dtype=np.float64)
    moving = np.asarray(scan.values, dtype=np.float64)
    found = transform_centers_of_mass(static, template.affine, moving, scan.affine)
    engine = AffineRegistration(
        metric=MutualInformationMetric(nbins=32, sampling_proportion=None),
        level_iters=[10000, 1000, 100],
        sigmas=[3.0, 1.0, 0.0],
        factors=[4, 2, 1],
        verbosity=0,
    )
    for kind in (TranslationTransform3D, RigidTransform3D, AffineTransform3D):
        found = engine.optimize(
            static,
            moving,
            kind(),
            None,
            static_grid2world=template.affine,
            moving_grid2world=scan.affine,
            starting_affine=found.affine,
        )
    return np.asarray(np.linalg.inv(found.affine))


def measure_registration(
    subjects: list[FoundSubject], template: RegistrationTemplate, *, with_dipy: bool
) -> None:
    ours, theirs = [], []
    for subject in subjects:
        scan, clock, core = _timed(lambda s=subject: read_nifti(s.files["t1"]))
        _show(f"{subject.id}: T1 read", clock, core)
        found, clock, core = _timed(lambda s=scan: register_affine(s.values, s.affine, template))
        ours.append((core, _dice(scan, found.to_template, template)))
        _show(f"{subject.id}: registered", clock, core, f"  Dice {ours[-1][1]:.4f}")
        if with_dipy:
            other, clock, core = _timed(lambda s=scan: _dipy(s, template))
            theirs.append((core, _dice(scan, other, template)))
            _show(f"{subject.id}: registered by dipy", clock, core, f"  Dice {theirs[-1][1]:.4f}")
            apart = (found.to_template - other)[:3]
            brain = np.argwhere(brain_of(scan.affine, scan.values))[::499]
            world = np.c_[brain, np.ones(len(brain))] @ scan.affine.T
            distance = np.sqrt(((world @ apart.T) ** 2).sum(axis=1))
            print(f"  the two put brain voxels {distance.mean():.2f} mm apart on average")
    if theirs:
        ratio = sum(core for core, _ in theirs) / sum(core for core, _ in ours)
        print(f"registration: {ratio:.1f} times as fast as dipy's by core time", flush=True)


def measure_steps(raw: Path, template: RegistrationTemplate, folder: Path, subjects: int) -> None:
    found = organised_subjects(raw)
    # as many as asked for, by the same patients again
    some = [
        FoundSubject(f"{found[k % len(found)].id}-{k}", found[k % len(found)].files)
        for k in range(subjects)
    ]
    reference = Reference(
        dataset="none",
        subject="none",
        why="steps of 10 grey levels",
        lesion_masked=False,
        quantiles=QUANTILES,
        files={
            name: ReferenceFile(path="", hash="", values=tuple(100.0 + 10 * k for k in range(11)))
            for name in ("flair", "t1", "t1ce", "t2")
        },
    )
    for workers in (1, 2):
        place = folder / str(workers)
        done, clock, core = _timed(
            lambda p=place, n=workers: register(some, p / "registered", template, workers=n)
        )
        alone = core / subjects if workers == 1 else None
        _show(f"step register, {workers} processes, a subject", clock / subjects, alone)
        _require_all(done)
        registered, _ = registered_subjects(place / "registered")
        done, clock, core = _timed(
            lambda p=place, r=registered, n=workers: match_all(
                r, p / "patients", reference, workers=n
            )
        )
        _require_all(done)
        alone = core / subjects if workers == 1 else None
        _show(f"step match, {workers} processes, a subject", clock / subjects, alone)
    adapter = ShiftsAdapter("prepared", folder / "1")
    patients, config = adapter.subjects(), PreprocessingConfig()

    paths = [path for p in patients for path in (*p.paths.values(), p.mask) if path is not None]
    pack_subject(adapter, patients[0], config)  # imports
    clock, theirs = _best(lambda: [np.asanyarray(_load(path).dataobj) for path in paths])
    _show("prepared files read by nibabel, a subject", clock / subjects, theirs / subjects)
    clock, reading = _best(lambda: [read_nifti(path) for path in paths])
    _show("prepared files decompressed, a subject", clock / subjects, reading / subjects)
    clock, core = _best(lambda: [pack_subject(adapter, patient, config) for patient in patients])
    _show("slices made, a subject", clock / subjects, core / subjects)
    _, clock, _ = _timed(lambda: SliceStore.build(folder / "2", adapter, patients, config, 2))
    _show("slice store built, 2 threads, a subject", clock / subjects, None)
    places = iter(folder / f"store-{number}" for number in range(3))
    clock, core = _best(lambda: SliceStore.build(next(places), adapter, patients, config, 1))
    _show("slice store built, a subject", clock / subjects, core / subjects)
    print(
        f"slice store: {core / reading:.2f} times the core time of decompression alone, "
        f"{core / theirs:.2f} times that of nibabel's reading"
    )


def _load(path: Path) -> nib.Nifti1Image:
    image = nib.load(path)
    assert isinstance(image, nib.Nifti1Image)
    return image


def _require_all(done: StepOutcome) -> None:
    if done.failures:
        raise SystemExit(f"{len(done.failures)} subjects failed, the first: {done.failures[0]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--raw", type=Path, default=RAW)
    parser.add_argument("--subjects", type=int, default=4)
    parser.add_argument("--no-dipy", action="store_true")
    options = parser.parse_args()
    template, clock, core = _timed(icbm_template)
    _show("template loaded, once", clock, core)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        organise(find_raw(options.raw), folder / "organised")
        subjects = organised_subjects(folder / "organised")
        register_affine(template.values, template.affine, template)  # imports, and the pyramid
        measure_registration(subjects[:2], template, with_dipy=not options.no_dipy)
        measure_steps(folder / "organised", template, folder, options.subjects)


if __name__ == "__main__":
    main()
