"""What a set of scans looks like, in figures that name nobody: intensities by tissue, noise, shading, lesions, variety.

Every scan is brought to voxels of 2.5 mm, as the phantom has them, after the working preprocessing (N4, robust
normalisation); contrasts are relative to the subject's white matter. Tissue classes are three clusters (k-means) of
T1 and T2, of the voxels that lie 5 mm or more from a lesion and from the brain's edge: rough, and the same for every set, so that
sets compare. Only means over a set leave this module, no figure of a person.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.cluster import KMeans
from sklearn.metrics import average_precision_score

from andi_bench.config import PreprocessingConfig
from andi_bench.geometry import voxel_sizes
from datasets.adapters.base import DatasetAdapter
from datasets.scans.normalisation import normalised
from datasets.scans.preprocess import unbiased
from datasets.subject import Subject
from datasets.volume import MODALITIES

EDGE = 2.5
"""Voxel edge on which everything is measured, mm."""
TISSUES = ("fluid", "grey", "white", "rim")
"""Three classes of tissue, and the outer :data:`RIM` mm of the brain, where tissue fades and dura may be left."""
RIM = 5.0
BINS = np.linspace(0, 3, 61)
"""Bins of histograms, intensity relative to white matter."""
DEPTHS = np.arange(-12.5, 15.1, 2.5)
"""Signed distances from a lesion's border at which profiles are read, mm: negative inside."""
TAIL = np.linspace(1, 2.2, 25)
"""FLAIR levels, relative to white matter, whose excess by healthy brain is counted."""
CLEARANCE = 5.0
"""Healthy voxels are at least so far from a lesion, mm."""
_LESION_KINDS = {1: "core", 2: "oedema", 3: "enhancing", 4: "enhancing"}
_SCALES = (2.5, 5.0, 10.0)  # standard deviations at which fine and coarse structure part, mm
WORKING = PreprocessingConfig(bias="n4", normalisation="robust")


@dataclass(frozen=True)
class Measured:
    """One subject on the common grid; never written anywhere.

    Parameters
    ----------
    relative, robust : float32 (C, X, Y, Z)
        Without bias field, relative to white matter; and as the working preprocessing leaves it.
    brain, healthy, lesion : bool (X, Y, Z)
        Healthy: of the brain, away from lesions.
    kinds : uint8 (X, Y, Z)
        The mask's labels.
    tissue : int8 (X, Y, Z)
        Index in :data:`TISSUES`; -1 where not healthy.
    bias : dict of float
        By modality, standard deviation of the bias field's logarithm over the brain.
    shift : dict of float
        By modality, 99th percentile of the foreground over that without its lesion.
    """

    relative: NDArray[np.float32]
    robust: NDArray[np.float32]
    brain: NDArray[np.bool_]
    healthy: NDArray[np.bool_]
    lesion: NDArray[np.bool_]
    kinds: NDArray[np.uint8]
    tissue: NDArray[np.int8]
    bias: dict[str, float]
    shift: dict[str, float]


def measured(adapter: DatasetAdapter, subject: Subject, *, kinds: bool) -> Measured:
    """Read a subject and bring it to the common grid.

    Parameters
    ----------
    adapter : DatasetAdapter
        Its data set.
    subject : Subject
        Who.
    kinds : bool
        Whether labels of the mask are kinds of tumour tissue; else any label is one.
    """
    scan = adapter.scan_for(subject, WORKING)
    brain = scan.brain()
    lesion = np.zeros(brain.shape, bool) if scan.lesion is None else scan.lesion
    labels = lesion.astype(np.uint8)
    if kinds and subject.mask is not None:
        labels = np.where(lesion, np.asanyarray(nib.load(subject.mask).dataobj), 0).astype(np.uint8)
    shift, bias = {}, {}
    for name, image in zip(scan.modalities, scan.images, strict=True):
        inside = image > 0
        off = float(np.quantile(image[inside & ~lesion], 0.99))
        shift[name] = float(np.quantile(image[inside], 0.99)) / off
    for name, field in zip(scan.modalities, scan.log_bias or (), strict=True):
        bias[name] = float(field[field != 0].std()) if field.any() else 0.0
    flat = unbiased(scan).images
    spacing = voxel_sizes(scan.affine)
    images = np.stack([_resampled(image, spacing) for image in flat])
    small = _resampled(brain.astype(np.float32), spacing) > 0.5
    marked = _resampled(lesion.astype(np.float32), spacing) > 0.5
    classes = np.zeros(small.shape, np.uint8)
    for label in np.unique(labels[labels > 0]):
        share = _resampled((labels == label).astype(np.float32), spacing)
        classes[(share > 0.3) & marked] = label
    distance = (
        ndimage.distance_transform_edt(~marked) * EDGE if marked.any() else np.full(small.shape, 99)
    )
    healthy = small & (distance > CLEARANCE)
    robust = np.stack(
        [
            np.where(small, normalised(np.where(small, i, 0), name, WORKING, subject.id), 0)
            for name, i in zip(scan.modalities, images, strict=True)
        ]
    ).astype(np.float32)
    tissue = _tissues(robust, healthy, ndimage.distance_transform_edt(small) * EDGE > RIM)
    white = np.array([np.median(i[tissue == 2]) for i in images])
    relative = (images / white[:, None, None, None]).astype(np.float32)
    return Measured(relative, robust, small, healthy, marked & small, classes, tissue, bias, shift)


def _resampled(image: NDArray[Any], spacing: tuple[float, float, float]) -> NDArray[np.float32]:
    sigma = [0.35 * math.sqrt(max(0.0, (EDGE / edge) ** 2 - 1)) for edge in spacing]
    smooth = ndimage.gaussian_filter(np.asarray(image, np.float32), sigma, truncate=3)
    shape = [round(n * edge / EDGE) for n, edge in zip(image.shape, spacing, strict=True)]
    # centre to centre, so that nothing is moved or stretched
    places = [
        ((np.arange(n) - (n - 1) / 2) * EDGE / edge + (m - 1) / 2).astype(np.float32)
        for n, m, edge in zip(shape, image.shape, spacing, strict=True)
    ]
    grid = np.meshgrid(*places, indexing="ij", copy=False)
    out: NDArray[np.float32] = ndimage.map_coordinates(smooth, grid, order=1, mode="nearest")
    return out


def _tissues(
    robust: NDArray[np.float32], healthy: NDArray[np.bool_], deep: NDArray[np.bool_]
) -> NDArray[np.int8]:
    dark = (robust[1] < 0.3) & (robust[3] < 0.4)  # neither tissue nor fluid: bone, air, big vessels
    outer, deep = ~deep, deep & ~dark
    _, t1, _, t2 = (image[healthy & deep] for image in robust)
    features = np.stack([np.clip(v, *np.quantile(v, (0.01, 0.97))) for v in (t1, t2)], axis=1)
    few = features[:: max(1, len(features) // 30_000)]
    ratio = few[:, 1] - few[:, 0]
    first = np.stack(
        [
            few[(ratio >= np.quantile(ratio, a)) & (ratio <= np.quantile(ratio, b))].mean(axis=0)
            for a, b in ((0.93, 1.0), (0.5, 0.8), (0.0, 0.4))
        ]
    )
    model = KMeans(3, init=first, n_init=1, random_state=0).fit(few)
    found = model.predict(features)
    order = np.argsort(model.cluster_centers_[:, 0] - model.cluster_centers_[:, 1])  # T1 less T2
    rank = np.empty(3, np.int8)
    rank[order] = np.arange(3)
    out = np.full(healthy.shape, -1, np.int8)
    out[healthy & outer] = len(TISSUES) - 1
    out[healthy & deep] = rank[found]
    return out


def figures_of(subject: Measured) -> dict[str, Any]:
    """Return a subject's figures: numbers and curves of fixed lengths, nested in dicts."""
    out: dict[str, Any] = {"bias": subject.bias, "p99 shift": subject.shift}
    out["tissues"] = _tissue_figures(subject)
    depth = ndimage.distance_transform_edt(subject.brain) * EDGE
    flair = subject.relative[0]
    healthy = subject.healthy
    bright = np.sort(flair[healthy])
    above = 1 - np.searchsorted(bright, TAIL) / bright.size
    brightest = healthy & (flair > np.quantile(bright, 0.99))
    out["healthy flair"] = {
        "share above": above.tolist(),
        "brightest 1 %: in the outer 5 mm": float((depth[brightest] <= 5).mean()),
    }
    out["brain ml"] = float(subject.brain.sum()) * EDGE**3 / 1000
    fluid = subject.tissue == 0
    out["fluid share"] = float(fluid[subject.tissue >= 0].mean())
    out["grey share"] = float((subject.tissue == 1)[subject.tissue >= 0].mean())
    deep = fluid & (depth > 22)
    out["deep fluid ml"] = float(deep.sum()) * EDGE**3 / 1000
    out["structure"] = {
        name: _structure(image, subject)
        for name, image in zip(MODALITIES, subject.relative, strict=True)
    }
    if subject.lesion.any():
        out["lesion"] = _lesion_figures(subject)
    return out


def _tissue_figures(subject: Measured) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for index, name in enumerate(TISSUES):
        where = subject.tissue == index
        for modality, image, robust in zip(
            MODALITIES, subject.relative, subject.robust, strict=True
        ):
            values = image[where]
            low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
            counts = np.histogram(np.clip(values, BINS[0], BINS[-1]), BINS)[0] / values.size
            out[f"{modality} {name}"] = {
                "median": float(middle),
                "iqr": float(high - low),
                "robust median": float(np.median(robust[where])),
                "histogram": counts.tolist(),
            }
    return out


def _structure(image: NDArray[np.float32], subject: Measured) -> dict[str, float]:
    """Return the noise of white matter's middle, and how strong structure is between scales."""
    inside = ndimage.binary_erosion(subject.tissue == 2)
    white = image * 1.0
    residual = ndimage.convolve(white, _noise_mask())
    sigma = 1.4826 * float(np.median(np.abs(residual[inside]))) if inside.any() else float("nan")
    out = {"noise": sigma}
    core = subject.healthy & ndimage.binary_erosion(subject.brain, iterations=2)
    layers = [image] + [ndimage.gaussian_filter(image, s / EDGE) for s in _SCALES]
    for k, scale in enumerate(_SCALES):
        out[f"finer than {scale:g} mm"] = float((layers[k] - layers[k + 1])[core].std())
    return out


def _noise_mask() -> NDArray[np.float32]:
    """Second differences along the three axes multiplied (Immerkaer, 1996), of unit norm."""
    one = np.array([1.0, -2.0, 1.0])
    mask = np.einsum("i,j,k->ijk", one, one, one)
    return np.asarray(mask / np.linalg.norm(mask), dtype=np.float32)


def _lesion_figures(subject: Measured) -> dict[str, Any]:
    lesion, flair = subject.lesion, subject.relative[0]
    _, count = ndimage.label(lesion, np.ones((3, 3, 3)))
    sizes = np.sort(np.bincount(ndimage.label(lesion, np.ones((3, 3, 3)))[0][lesion]))[::-1]
    millilitre = EDGE**3 / 1000
    eroded = lesion & ~ndimage.binary_erosion(lesion)
    volume = float(lesion.sum()) * millilitre
    out: dict[str, Any] = {
        "ml": volume,
        "components": int(count),
        "share of the largest": float(sizes[0] / sizes.sum()),
        # surface over that of a ball of the same volume
        "roughness": float(eroded.sum()) / _shell(float(lesion.sum())),
    }
    inside = ndimage.distance_transform_edt(lesion) * EDGE
    outside = ndimage.distance_transform_edt(~lesion) * EDGE
    signed = np.where(lesion, -inside + EDGE / 2, outside - EDGE / 2)
    profiles = {}
    for name, image in zip(MODALITIES, subject.relative, strict=True):
        profiles[name] = [
            float(image[near].mean())
            if (near := subject.brain & (np.abs(signed - at) < EDGE / 2)).sum() > 20
            else None
            for at in DEPTHS
        ]
    out["profile"] = profiles
    for label in np.unique(subject.kinds[lesion & (subject.kinds > 0)]):
        where = lesion & (subject.kinds == label)
        kind = _LESION_KINDS.get(int(label), "other")
        if where.sum() < 10 and volume > 5:
            continue
        out[kind] = {"ml": float(where.sum()) * millilitre}
        for name, image in zip(MODALITIES, subject.relative, strict=True):
            low, middle, high = np.quantile(image[where], (0.25, 0.5, 0.75))
            out[kind][name] = {"median": float(middle), "iqr": float(high - low)}
    brain = subject.brain
    for name, image in zip(("flair", "t2"), (flair, subject.relative[3]), strict=True):
        out[f"AP of {name} itself"] = float(average_precision_score(lesion[brain], image[brain]))
    out["prevalence"] = float(lesion[brain].mean())
    return out


def _shell(voxels: float) -> float:
    radius = (3 * voxels / (4 * math.pi)) ** (1 / 3)
    return max(1.0, 4 / 3 * math.pi * (radius**3 - max(radius - 1, 0) ** 3))


def variety(subjects: list[Measured]) -> dict[str, Any]:
    """Return how much subjects differ from each other at the same place, as a voxel-wise method sees them.

    Grids of different shapes are compared about their middles.
    """
    shape = np.min([s.brain.shape for s in subjects], axis=0)
    boxes = [
        tuple(
            slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(s.brain.shape, shape, strict=True)
        )
        for s in subjects
    ]
    healthy = np.stack([s.healthy[box] for s, box in zip(subjects, boxes, strict=True)])
    brains = np.stack([s.brain[box] for s, box in zip(subjects, boxes, strict=True)])
    enough = healthy.sum(axis=0) >= max(min(3, len(subjects)), len(subjects) // 2)
    out: dict[str, Any] = {}
    for k, name in enumerate(MODALITIES):
        values = np.stack([s.robust[k][box] for s, box in zip(subjects, boxes, strict=True)])
        values = np.where(healthy, values, np.nan)[:, enough]
        spread = np.nanstd(values, axis=0, ddof=1)
        out[name] = {
            "median SD at a place": float(np.median(spread)),
            "90th percentile": float(np.quantile(spread, 0.9)),
            "SD over places": float(np.nanmean(values, axis=0).std()),
        }
    pairs = [
        2 * (a & b).sum() / (a.sum() + b.sum()) for i, a in enumerate(brains) for b in brains[:i]
    ]
    out["overlap of brains"] = float(np.mean(pairs)) if pairs else None
    return out
