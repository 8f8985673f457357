"""One subject of the phantom: which there are, and how each is made from its number and one seed.

What it is made of: :mod:`datasets.phantom.template` and :mod:`datasets.phantom.anatomy` (the ICBM template, warped),
:mod:`datasets.phantom.contrasts` (modalities and scanners), :mod:`datasets.phantom.lesions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from andi_bench.config import Section
from datasets.phantom.anatomy import Grid, draw_pose, sample_anatomy
from datasets.phantom.contrasts import SCANNERS, ScannerName, acquire, healthy_images
from datasets.phantom.lesions import (
    PLAQUE,
    draw_glioma,
    draw_plaques,
    glioma_labels,
    paint,
    plaque_labels,
)
from datasets.phantom.template import Template
from datasets.splits import PARTS

_PREFIX = {"glioma": "Phantom", "ms": "PhantomMS"}
_PURPOSES = ("person", "pose", "tissue", "lesion", "growth", "paint", "acquisition")


class SplitCounts(Section):
    """A number of subjects for each split."""

    train: int = Field(0, ge=0, le=10_000)
    val: int = Field(0, ge=0, le=10_000)
    test: int = Field(0, ge=0, le=10_000)

    def of(self, split: str) -> int:
        """Return the number for a split."""
        return int(getattr(self, split))


class PhantomConfig(Section):
    """What a phantom is made from. Any change of it makes another phantom."""

    kind: Literal["glioma", "ms"] = Field("glioma", description="lesions that subjects carry")
    scanner: ScannerName = Field("a", description="contrasts and noise")
    counts: SplitCounts = Field(
        SplitCounts(train=24, val=6, test=10), description="subjects of each split"
    )
    lesion_free: SplitCounts = Field(
        SplitCounts(train=3, test=2), description="how many of them carry no lesion"
    )
    spacing: float = Field(
        2.5, ge=1.0, le=4.0, description="edge of a voxel, mm; 1.0 gives 240x240x155"
    )
    seed: int = Field(0, ge=0, lt=2**32)
    version: Literal[1] = Field(1, description="of the recipe; raised when images change")

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
        The subject's number k: with seed, kind, scanner, spacing and ``lesion_free``, all it depends on.
    split : str
        ``train``, ``val`` or ``test``; does not change the subject.
    lesion_free : bool
        Whether it carries no lesion.
    config : PhantomConfig
        Seed, kind, scanner and spacing are read.
    """

    number: int
    split: str
    lesion_free: bool
    config: PhantomConfig

    @property
    def id(self) -> str:
        """Identifier, such as ``Phantom_00000``."""
        return f"{_PREFIX[self.config.kind]}_{self.number:05d}"

    def stream(self, purpose: str) -> np.random.Generator:
        """Return the random stream for a purpose, independent of every other."""
        key = (
            sorted(_PREFIX).index(self.config.kind),
            sorted(SCANNERS).index(self.config.scanner),
            self.number,
            _PURPOSES.index(purpose),
        )
        return np.random.default_rng(np.random.SeedSequence(self.config.seed, spawn_key=key))

    def person(self) -> dict[str, str]:
        """Draw the columns of the split's CSV."""
        generator = self.stream("person")
        return {
            "Subject_ID": self.id,
            "site": f"scanner-{self.config.scanner}",
            "age": str(int(generator.integers(22, 81))),
            "sex": "FM"[int(generator.integers(2))],
            "kind": "lesion-free" if self.lesion_free else self.config.kind,
        }


def subjects_of(config: PhantomConfig) -> list[PhantomSubject]:
    """List a phantom's subjects, numbered through train, val and test; a split's last are lesion-free."""
    out: list[PhantomSubject] = []
    for split in PARTS:
        count = config.counts.of(split)
        with_lesion = count - config.lesion_free.of(split)
        for place in range(count):
            out.append(PhantomSubject(len(out), split, place >= with_lesion, config))
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
        BraTS labels: 0, 1, 2 and 4 (glioma), 0 and 1 (multiple sclerosis), 0 (lesion-free).
    grid : Grid
        Shape and affine.
    """
    config = subject.config
    grid = Grid(config.spacing)
    scanner = SCANNERS[config.scanner]
    age = float(subject.person()["age"])
    atrophy = (age - 50) / 30
    pose = draw_pose(subject.stream("pose"), grid, atrophy)
    lesion, growth = subject.stream("lesion"), subject.stream("growth")
    tumour, plaques = None, []
    if not subject.lesion_free and config.kind == "glioma":
        tumour = draw_glioma(lesion, template, pose)
        pose = pose.pushed(tumour.mass_effect)
    elif not subject.lesion_free:
        plaques = draw_plaques(lesion, template, pose)

    anatomy = sample_anatomy(template, pose, atrophy)
    images = healthy_images(anatomy, scanner, subject.stream("tissue"), age)
    if tumour is not None:
        labels, weight = glioma_labels(tumour, anatomy, growth)
        looks = tumour.looks
    else:
        labels, weight = plaque_labels(plaques, anatomy, growth)
        looks = {index: plaque.look for index, plaque in enumerate(plaques, start=1)}
    paint(images, labels, weight, looks, anatomy, scanner, subject.stream("paint"))
    if tumour is None:
        labels = np.where(labels > 0, PLAQUE, 0).astype(np.uint8)
    scans = acquire(images, anatomy.brain, anatomy, scanner, subject.stream("acquisition"))
    whole = {modality: _on_grid(scan, grid) for modality, scan in scans.items()}
    return whole, _on_grid(labels, grid), grid


def _on_grid(part: NDArray[Any], grid: Grid) -> NDArray[Any]:
    whole = np.zeros(grid.shape, dtype=part.dtype)
    whole[grid.box] = part
    return whole
