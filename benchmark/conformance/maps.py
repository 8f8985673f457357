"""Checks of the anomaly map: its form, its independence of how the work is cut, and that it sees a lesion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from andi_bench.names import counted
from benchmark.conformance.candidate import Candidate
from benchmark.conformance.outcome import Failed, NotApplicable, require_equal_maps
from benchmark.conformance.tiny_phantom import copied
from benchmark.scoring.engine import score_volume, score_volumes
from datasets.volume import Volume

TOLERANCE = 1e-4
"""Of the largest score: what another order of the same sums makes.

How a framework cuts its sums depends on batch size, threads and processor. PyTorch's group normalisation of
channels-last images, for one, sums in float32, and a network of 14 of them differs by 1e-5 from one batch size to another on two
threads, by 3e-5 on other processors. A map that does depend on its batch differs by 1e-2 and more.
"""

LESION_CONTRAST = 1.8
"""FLAIR of the planted lesion, in units of the brain's own 99th percentile."""


def form(candidate: Candidate) -> str:
    """Check that the map has the volume's shape, is float32, finite and not constant."""
    volume, _ = candidate.phantom.volumes(candidate.run.preprocessing)
    found = candidate.trained.score(copied(volume), candidate.engine())
    if not isinstance(found, np.ndarray):
        raise Failed(f"score() returns {type(found).__name__}: a numpy array wanted")
    if found.shape != volume.shape:
        raise Failed(f"map of shape {found.shape}: {volume.shape} wanted")
    if found.dtype != np.float32:
        raise Failed(f"map of {found.dtype}: float32 wanted")
    scores = found[volume.brain]
    bad = int(np.count_nonzero(~np.isfinite(scores)))
    if bad:
        raise Failed(f"{bad} of {scores.size} scores in the brain are not finite")
    low, high = float(scores.min()), float(scores.max())
    if low == high:
        raise Failed(f"every score in the brain is {low:g}: a map that tells voxels apart wanted")
    return f"{found.shape}, float32, finite, scores {low:.3g} to {high:.3g}"


def zero_outside(candidate: Candidate) -> str:
    """Check that the engine's map is 0 outside the brain, and the volume is left as it was."""
    volume, _ = candidate.phantom.volumes(candidate.run.preprocessing)
    lent = copied(volume)
    scores = score_volume(candidate.trained, lent, candidate.engine()).map
    outside = int(np.count_nonzero(scores[~volume.brain]))
    if outside:
        raise Failed(f"{counted(outside, 'voxel')} outside the brain with a score: 0 wanted")
    for name, mine, theirs in (
        ("brain mask", volume.brain, lent.brain),
        ("image", volume.image, lent.image),
    ):
        changed = int(np.count_nonzero(mine != theirs))
        if changed:
            raise Failed(f"score() changed {counted(changed, 'value')} of the volume's {name}")
    return f"{counted(int(np.count_nonzero(~volume.brain)), 'voxel')} outside, all 0"


def empty_slices(candidate: Candidate) -> str:
    """Check that volumes with some and with all slices empty are scored, and the map is 0 there."""
    volume, _ = candidate.phantom.volumes(candidate.run.preprocessing)
    filled = np.flatnonzero(volume.brain.any(axis=(0, 1)))
    emptied = np.append(filled[: len(filled) // 3], filled[len(filled) // 2])
    for what, slices in (("some slices empty", emptied), ("all slices empty", filled)):
        holed = copied(volume)
        holed.image[..., slices] = 0
        holed.brain[..., slices] = False
        try:
            scores = candidate.score(candidate.trained, holed)
        except Exception as error:
            first = str(error).splitlines()[0] if str(error) else ""
            raise Failed(f"{what}: {type(error).__name__}: {first}") from error
        wrong = int(np.count_nonzero(scores[..., slices]))
        if wrong:
            raise Failed(f"{what}: {counted(wrong, 'voxel')} of them with a score, 0 wanted")
    return f"{len(emptied)} of {len(filled)} slices empty, and all: scored, 0 there"


def batch_size(candidate: Candidate) -> str:
    """Check that slices scored one by one and by four give the same map."""
    volume, _ = candidate.phantom.volumes(candidate.run.preprocessing)
    one = candidate.score(candidate.trained, volume, 1)
    four = candidate.score(candidate.trained, volume, 4)
    found = require_equal_maps(one, four, "batches of 1 and of 4 slices", TOLERANCE)
    return f"batches of 1 and of 4 slices: maps differ by {found:.2g} of the largest score"


def subject_order(candidate: Candidate) -> str:
    """Check that a map does not depend on which subjects were scored before, or in the same batches."""
    volumes = candidate.phantom.volumes(candidate.run.preprocessing)
    detector = candidate.trained
    forth = [candidate.score(detector, v) for v in volumes]
    back = [candidate.score(detector, v) for v in volumes[::-1]][::-1]
    ways = {"scored first and last": back}
    if detector.joins_volumes:
        lent = [copied(v) for v in volumes]
        found = score_volumes(detector, lent, candidate.engine())
        ways["scored alone and with another"] = [scored.map for scored in found]
    gaps = [
        require_equal_maps(one, other, f"subject {volume.subject} {how}", TOLERANCE)
        for how, maps in ways.items()
        for volume, one, other in zip(volumes, forth, maps, strict=True)
    ]
    how = "in both orders" + (" and in shared batches" if len(ways) > 1 else "")
    return f"{counted(len(volumes), 'subject')} {how}: maps differ by {max(gaps):.2g}"


def sees_lesion(candidate: Candidate) -> str:
    """Check that a bright lesion planted in a healthy brain scores above the brain's median."""
    _, healthy = candidate.phantom.volumes(candidate.run.preprocessing)
    if "flair" not in healthy.modalities:
        raise NotApplicable(f"no FLAIR among {', '.join(healthy.modalities)}")
    needs = candidate.cls.requires
    if needs and "flair" not in needs:
        raise NotApplicable(
            f"the lesion is planted into FLAIR, the method reads {', '.join(needs)}"
        )
    planted, lesion = plant_lesion(healthy)
    scores = candidate.score(candidate.trained, planted)
    inside = float(np.median(scores[lesion]))
    median = float(np.median(scores[planted.brain & ~lesion]))
    found = (
        f"median score {inside:.4g} in the planted lesion ({counted(int(lesion.sum()), 'voxel')}), "
        f"{median:.4g} in the brain"
    )
    if not inside > median:
        raise Failed(f"{found}: a higher one in the lesion wanted")
    return found


def plant_lesion(volume: Volume) -> tuple[Volume, NDArray[np.bool_]]:
    """Paint a bright ball into FLAIR, off the midline; return the volume and the lesion (X, Y, Z)."""
    places = np.argwhere(volume.brain)
    low, high = places.min(axis=0), places.max(axis=0)
    centre = low + (high - low) * np.array([0.3, 0.45, 0.6])
    radius = (high - low) * 0.12
    grid = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"), axis=-1)
    ball: NDArray[np.bool_] = (((grid - centre) / radius) ** 2).sum(axis=-1) <= 1
    ball &= volume.brain
    image = volume.image.copy()
    flair = image[volume.modalities.index("flair")]
    flair[ball] = LESION_CONTRAST * np.quantile(flair[volume.brain], 0.99)
    return replace(volume, image=image, lesion=ball), ball
