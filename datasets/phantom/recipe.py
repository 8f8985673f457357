"""One subject of the phantom: which there are, and how each is made from its number and its split's seed.

What it is made of: :mod:`datasets.phantom.template` and :mod:`datasets.phantom.anatomy` (the ICBM template, warped),
:mod:`datasets.phantom.contrasts` (modalities and hospitals), :mod:`datasets.phantom.acquisition`; lesions in
:mod:`datasets.phantom.gliomas`, :mod:`datasets.phantom.plaques`, :mod:`datasets.phantom.small_lesions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from andi_bench.config import Section
from datasets.phantom.acquisition import acquire, soften
from datasets.phantom.anatomy import Anatomy, Grid, Pose, draw_pose, sample_anatomy
from datasets.phantom.contrasts import SCANNERS, Images, ScannerName, healthy_images
from datasets.phantom.gliomas import draw_glioma, glioma_labels
from datasets.phantom.painting import Look, paint
from datasets.phantom.plaques import PLAQUE, draw_plaques, plaque_labels
from datasets.phantom.small_lesions import (
    LABELS,
    draw_small_lesions,
    spot_kinds,
    spot_labels,
    ventricle_gained,
    wasted,
)
from datasets.phantom.template import Template
from datasets.splits import PARTS

_PREFIX = {"glioma": "Phantom", "ms": "PhantomMS", "small": "PhantomSmall"}
_PURPOSES = ("person", "pose", "tissue", "lesion", "growth", "paint", "acquisition", "anatomy", "rim")  # fmt: skip


class SplitCounts(Section):
    """A number of subjects for each split."""

    train: int = Field(0, ge=0, le=10_000)
    val: int = Field(0, ge=0, le=10_000)
    test: int = Field(0, ge=0, le=10_000)

    def of(self, split: str) -> int:
        """Return the number for a split."""
        return int(getattr(self, split))


class SplitSeeds(Section):
    """A seed for each split: what is settled while looking at one split has seen nobody of another."""

    train: int = Field(11, ge=0, lt=2**32)
    val: int = Field(12, ge=0, lt=2**32)
    test: int = Field(20261126, ge=0, lt=2**32)

    def of(self, split: str) -> int:
        """Return the seed of a split."""
        return int(getattr(self, split))

    @model_validator(mode="after")
    def _apart(self) -> SplitSeeds:
        values = [self.of(split) for split in PARTS]
        if len(set(values)) < len(values):
            raise ValueError(f"seeds {values} of train, val, test: three different ones wanted")
        return self


class PhantomConfig(Section):
    """What a phantom is made from. Any change of it makes another phantom."""

    kind: Literal["glioma", "ms", "small"] = Field(
        "glioma", description="lesions that subjects carry"
    )
    scanner: ScannerName = Field("a", description="contrasts, noise, hospitals")
    counts: SplitCounts = Field(
        SplitCounts(train=40, val=20, test=60), description="subjects of each split"
    )
    lesion_free: SplitCounts = Field(
        SplitCounts(val=4, test=10), description="how many of them carry no lesion"
    )
    spacing: float = Field(
        2.5, ge=1.0, le=4.0, description="edge of a voxel, mm; 1.0 gives 240x240x155"
    )
    seeds: SplitSeeds = Field(SplitSeeds(), description="of each split")
    ranks: bool = Field(True, description="whether its size allows to tell methods apart")
    version: Literal[2] = Field(2, description="of the recipe; raised when images change")

    @model_validator(mode="after")
    def _fewer_than_all(self) -> PhantomConfig:
        for split in PARTS:
            if self.lesion_free.of(split) > self.counts.of(split):
                raise ValueError(
                    f"lesion_free.{split} = {self.lesion_free.of(split)}: "
                    f"at most counts.{split} = {self.counts.of(split)} wanted"
                )
        return self


@dataclass(frozen=True)
class PhantomSubject:
    """One subject to be made.

    Parameters
    ----------
    number : int
        The subject's number in its split, among those with a lesion or among those without: with the split's seed,
        kind, scanner and spacing, all it depends on.
    split : str
        ``train``, ``val`` or ``test``.
    lesion_free : bool
        Whether it carries no lesion.
    config : PhantomConfig
        Seeds, kind, scanner and spacing are read.
    """

    number: int
    split: str
    lesion_free: bool
    config: PhantomConfig

    @property
    def id(self) -> str:
        """Identifier, such as ``Phantom_train_000``, or ``Phantom_val_free_000`` without a lesion."""
        free = "free_" if self.lesion_free else ""
        return f"{_PREFIX[self.config.kind]}_{self.split}_{free}{self.number:03d}"

    def stream(self, purpose: str) -> np.random.Generator:
        """Return the random stream for a purpose, independent of every other."""
        key = (
            self.config.version,
            sorted(_PREFIX).index(self.config.kind),
            sorted(SCANNERS).index(self.config.scanner),
            int(self.lesion_free),
            self.number,
            _PURPOSES.index(purpose),
        )
        seed = self.config.seeds.of(self.split)
        return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))

    @property
    def site(self) -> int:
        """Which hospital of its scanner's."""
        return int(self.stream("person").integers(SCANNERS[self.config.scanner].sites))

    def person(self) -> dict[str, str]:
        """Draw the columns of the split's CSV."""
        generator = self.stream("person")
        site = int(generator.integers(SCANNERS[self.config.scanner].sites))
        return {
            "Subject_ID": self.id,
            "site": f"scanner-{self.config.scanner}{site + 1}",
            "age": str(int(generator.integers(22, 81))),
            "sex": "FM"[int(generator.integers(2))],
            "kind": "lesion-free" if self.lesion_free else self.config.kind,
        }


def subjects_of(config: PhantomConfig) -> list[PhantomSubject]:
    """List a phantom's subjects, train, val and test; a split's last are lesion-free."""
    out: list[PhantomSubject] = []
    for split in PARTS:
        free = config.lesion_free.of(split)
        out += [
            PhantomSubject(k, split, False, config) for k in range(config.counts.of(split) - free)
        ]
        out += [PhantomSubject(k, split, True, config) for k in range(free)]
    return out


def make_subject(
    subject: PhantomSubject, template: Template
) -> tuple[dict[str, NDArray[np.int16]], NDArray[np.uint8], Grid]:
    """Make a subject's scan.

    Parameters
    ----------
    subject : PhantomSubject
        Which one.
    template : Template
        ``load_template().smoothed(spacing)``.

    Returns
    -------
    scans : dict of int16 (X, Y, Z)
        By modality; exactly 0 outside the brain, positive inside.
    segmentation : uint8 (X, Y, Z)
        0, 1, 2 and 4 as in BraTS (glioma); 0 and 1 (multiple sclerosis); 0 and
        :data:`datasets.phantom.small_lesions.LABELS` (small); 0 (lesion-free).
    grid : Grid
        Shape and affine.
    """
    grid = Grid(subject.config.spacing)
    atrophy = (float(subject.person()["age"]) - 50) / 30
    pose = draw_pose(subject.stream("pose"), grid, atrophy)
    kind = "none" if subject.lesion_free else subject.config.kind
    maker = {"none": _healthy, "glioma": _with_glioma, "ms": _with_plaques, "small": _with_small}
    images, labels, anatomy = maker[kind](subject, _Maker(subject, template, atrophy), pose)
    scanner = SCANNERS[subject.config.scanner]
    scans = acquire(images, anatomy.brain, anatomy, scanner, subject.stream("acquisition"))
    whole = {modality: _on_grid(scan, grid) for modality, scan in scans.items()}
    return whole, _on_grid(labels, grid), grid


@dataclass(frozen=True)
class _Maker:
    """What is the same for all kinds of lesion: anatomy in a pose, healthy images, the painting of lesions."""

    subject: PhantomSubject
    template: Template
    atrophy: float

    def anatomy(self, pose: Pose) -> Anatomy:
        return sample_anatomy(self.template, pose, self.atrophy, self.subject.stream("anatomy"))

    def images(self, anatomy: Anatomy) -> Images:
        subject = self.subject
        scanner = SCANNERS[subject.config.scanner]
        age = float(subject.person()["age"])
        out = healthy_images(anatomy, scanner, subject.site, subject.stream("tissue"), age)
        soften(out, anatomy, scanner, subject.stream("rim"))
        return out

    def painted(
        self,
        anatomy: Anatomy,
        labels: NDArray[np.uint8],
        weight: NDArray[np.float32],
        looks: dict[int, Look],
    ) -> Images:
        images = self.images(anatomy)
        paint(images, labels, weight, looks, anatomy, self.subject.stream("paint"))
        return images


_Made = tuple[Images, NDArray[np.uint8], Anatomy]


def _healthy(subject: PhantomSubject, maker: _Maker, pose: Pose) -> _Made:
    anatomy = maker.anatomy(pose)
    return maker.images(anatomy), np.zeros(anatomy.brain.shape, dtype=np.uint8), anatomy


def _with_glioma(subject: PhantomSubject, maker: _Maker, pose: Pose) -> _Made:
    tumour = draw_glioma(subject.stream("lesion"), maker.template, pose)
    anatomy = maker.anatomy(pose.pushed(tumour.mass_effect))
    labels, weight = glioma_labels(tumour, anatomy, subject.stream("growth"))
    return maker.painted(anatomy, labels, weight, tumour.looks), labels, anatomy


def _with_plaques(subject: PhantomSubject, maker: _Maker, pose: Pose) -> _Made:
    plaques = draw_plaques(subject.stream("lesion"), maker.template, pose)
    anatomy = maker.anatomy(pose)
    indices, weight = plaque_labels(plaques, anatomy, subject.stream("growth"))
    looks = {index: plaque.look for index, plaque in enumerate(plaques, start=1)}
    images = maker.painted(anatomy, indices, weight, looks)
    return images, np.where(indices > 0, PLAQUE, 0).astype(np.uint8), anatomy


def _with_small(subject: PhantomSubject, maker: _Maker, pose: Pose) -> _Made:
    lesions = draw_small_lesions(subject.stream("lesion"), maker.template, pose)
    if lesions.push is not None:
        pose = pose.pushed(lesions.push)
    anatomy = maker.anatomy(pose)
    labels = np.zeros(anatomy.brain.shape, dtype=np.uint8)
    if lesions.wider is not None:
        before, anatomy = anatomy, maker.anatomy(pose.widened(*lesions.wider))
        labels[ventricle_gained(before, anatomy, lesions.wider[0])] = LABELS["asymmetry"]
    indices, weight, looks = spot_labels(lesions, anatomy, subject.stream("growth"))
    images = maker.images(anatomy)
    if lesions.wasting is not None:
        anatomy, marked = wasted(lesions.wasting, anatomy)
        for modality, changed in maker.images(anatomy).items():
            images[modality][marked] = changed[marked]
        labels[marked] = LABELS["atrophy"]
    paint(images, indices, weight, looks, anatomy, subject.stream("paint"))
    return images, np.where(indices > 0, spot_kinds(lesions, indices), labels), anatomy


def _on_grid(part: NDArray[Any], grid: Grid) -> NDArray[Any]:
    whole = np.zeros(grid.shape, dtype=part.dtype)
    whole[grid.box] = part
    return whole
