"""``preparation.json``: what was done to a prepared subject, and what it takes to go back.

It lies in the subject's folder, beside the images. Transforms are between worlds (RAS, mm), so they hold for any grid.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from andi_bench.config import Section
from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from datasets.scans.nifti import NiftiScan

SIDECAR = "preparation.json"
LEAST_DICE = 0.85
"""Below this overlap of the brain masks a registration is to be looked at by a person."""

Row = tuple[float, float, float, float]
Matrix = tuple[Row, Row, Row, Row]


class SourceFile(Section):
    """A file as the user has it, and what was made of it."""

    path: str = Field(description="where it was read, links followed")
    hash: str = Field(description="blake2b of its bytes, 32 hexadecimal digits")
    shape: tuple[int, int, int] = Field(description="voxels")
    affine: Matrix = Field(description="voxel to world (RAS), mm")
    output: str = Field(description="name of the prepared file in this folder")


class RegistrationRecord(Section):
    """How a subject was brought to a template."""

    template: str = Field(description="name of the template")
    template_hash: str = Field(description="of its voxels and affine, 32 hexadecimal digits")
    moving: str = Field("t1", description="modality that was registered; the others go along")
    to_template: Matrix = Field(
        description="from the source files' world to the prepared files' world (RAS, mm)"
    )
    metric: Literal["Mattes mutual information, nats"] = "Mattes mutual information, nats"
    metric_before: float = Field(description="with the two worlds taken as one")
    metric_after: float = Field(description="as registered; higher is better")
    dice_before: float = Field(ge=0, le=1, description="of brain and template brain, unregistered")
    dice_after: float = Field(ge=0, le=1, description="of brain and template brain, registered")
    warning: str | None = Field(None, description=f"where dice_after is below {LEAST_DICE}")


class ReferenceFile(Section):
    """One modality of the subject whose histogram is matched."""

    path: str = Field(description="where it was read")
    hash: str = Field(description="blake2b of its bytes, 32 hexadecimal digits")
    values: tuple[float, ...] = Field(description="intensities of its brain at the quantiles")


class Reference(Section):
    """The subject whose histogram is matched; also kept as ``reference.json`` of a prepared data set."""

    format: Literal[1] = 1
    dataset: str = Field(description="its data set")
    subject: str = Field(description="a subject of that data set's training split")
    why: str = Field(description="how it was chosen")
    lesion_masked: bool = Field(description="whether it has a lesion, which was left out")
    quantiles: tuple[float, ...] = Field(description="at which two brains are made equal")
    files: dict[str, ReferenceFile] = Field(description="by modality")


class MatchRecord(Section):
    """How a subject's intensities were matched to the reference's."""

    reference: Reference
    source: dict[str, tuple[float, ...]] = Field(
        description="this subject's intensities at the quantiles, by modality; others were left alone"
    )


class Preparation(Section):
    """All that is known of a prepared subject."""

    format: Literal[1] = 1
    subject: str = Field(description="its id in the prepared data set")
    sources: dict[str, SourceFile] = Field(
        description="the user's files, by kind: flair, t1, t1ce, t2, pd, seg, fg_mask"
    )
    registration: RegistrationRecord | None = Field(
        None, description="null: the prepared files lie where the sources do"
    )
    matching: MatchRecord | None = Field(None, description="null: intensities are the sources'")
    warnings: tuple[str, ...] = Field((), description="of the sources: what to look at")
    versions: dict[str, str] = Field(description="of what the figures depend on")

    @property
    def to_prepared(self) -> NDArray[np.float64]:
        """From the sources' world to the prepared files' (RAS, mm), float64 (4, 4)."""
        if self.registration is None:
            return np.eye(4)
        return np.array(self.registration.to_template)

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """Those of the sources, then the registration's."""
        of_registration = self.registration.warning if self.registration is not None else None
        return self.warnings if of_registration is None else (*self.warnings, of_registration)

    def write(self, folder: Path) -> None:
        """Write the sidecar into a subject's folder, atomically.

        Raises
        ------
        UserError
            When it cannot be written.
        """
        write_atomically(folder / SIDECAR, readable(self).encode())


def readable(section: Section) -> str:
    """Return a section as JSON for people: indented, with lists of numbers on one line."""
    text = section.model_dump_json(indent=1) + "\n"
    return re.sub(r"\[[-+.\deE,\s]+\]", lambda found: " ".join(found[0].split()), text)


def read_preparation(folder: Path) -> Preparation | None:
    """Read a subject's sidecar; None where there is none.

    Raises
    ------
    UserError
        When it is there and cannot be understood.
    """
    path = folder / SIDECAR
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    try:
        return Preparation.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path}: damaged ({where + ': ' if where else ''}{first['msg']}): delete it, and prepare "
            f"{folder.name} again"
        ) from error


def source_file(scan: NiftiScan, hash_: str, output: str) -> SourceFile:
    """Describe a file that was read."""
    x, y, z = scan.values.shape
    return SourceFile(
        path=str(scan.path.resolve()),
        hash=hash_,
        shape=(x, y, z),
        affine=as_rows(scan.affine),
        output=output,
    )


def versions() -> dict[str, str]:
    """Return the versions that the prepared files depend on."""
    out = {}
    for name in ("andi-bench", "SimpleITK", "nibabel", "numpy"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:  # run from a checkout
            out[name] = "not installed"
    return out


def as_rows(matrix: NDArray[np.float64]) -> Matrix:
    """Return a (4, 4) array as the sidecar holds it."""
    rows = [(float(a), float(b), float(c), float(d)) for a, b, c, d in matrix]
    return rows[0], rows[1], rows[2], rows[3]
