"""``preparation.json``: what was done to a prepared subject, and what it takes to go back.

It lies in the subject's folder, beside the images, and is the same whichever command prepared the subject. Transforms
are between worlds (RAS, mm), so they hold for any grid.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from andi_bench.config import Section
from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from datasets.prepare.former_sidecars import read_upgraded
from datasets.scans.lesion_mask import LesionRule
from datasets.scans.nifti import NiftiScan
from datasets.scans.read_otherwise import AS_EVER, READING

SIDECAR = "preparation.json"
WRITTEN = "written: "
"""How an image came about that was not taken as it is begins so."""
LEAST_DICE = 0.85
"""Below this overlap of the brain masks a registration is to be looked at by a person."""

Row = tuple[float, float, float, float]
Matrix = tuple[Row, Row, Row, Row]


class Original(Section):
    """The user's own file, where the prepared one lies on another grid: what it takes to go back."""

    hash: str = Field(description="blake2b of its bytes, 32 hexadecimal digits")
    shape: tuple[int, int, int] = Field(description="voxels")
    affine: Matrix = Field(description="voxel to world (RAS), mm")


class PreparedFile(Section):
    """A file in the subject's folder, and where it comes from."""

    file: str = Field(description="its name in this folder")
    path: str = Field(
        "",
        description="where it was read: a file, links followed, or 'archive: member'; '' if made",
    )
    how: str = Field("", description="link, copy, unpacked, or written and why")
    bytes: int | None = Field(None, description="its size; null: not looked at")
    stamp: str = Field("", description="changes when the file that it was made from does")
    changed: str = Field(
        "", description="when that file was last changed in any way; then its bytes are compared"
    )
    hash: str = Field("", description="blake2b of that file's bytes; '' of a member of an archive")
    voxels: str = Field("", description="hash of an image's voxels as they were read")
    original: Original | None = Field(None, description="null: it lies on the grid of its source")


class Intensities(Section):
    """Intensities of one modality, relative to the background; of its foreground where nothing else is said."""

    quantiles: tuple[float, ...] = Field(description="0.01, 0.25, 0.5, 0.75, 0.99")
    least: float = Field(description="of all voxels")
    most: float = Field(description="of all voxels")
    negative: float = Field(description="share of all voxels below 0")


class Facts(Section):
    """What was found in a subject's files; the data report tells it."""

    shape: tuple[int, int, int] = Field(description="voxels")
    spacing_mm: tuple[float, float, float]
    brain_ml: float
    lesion_ml: float | None = Field(description="null: no lesion mask")
    labels_ml: dict[str, float] = Field(description="by label of the mask; {}: probabilities")
    brain_slices: int
    healthy_slices: int | None = Field(description="with brain and no lesion; null: not known")
    intensities: dict[str, Intensities] = Field(description="by modality")


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
    reading: int = Field(
        AS_EVER,
        description="first version of reading that reads it so; left out of an ordinary scan",
    )

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        return {key: v for key, v in found.items() if key != "reading" or v != AS_EVER}


class MaskFile(Section):
    """The lesion mask of the subject whose histogram is matched."""

    path: str = Field(description="where it was read")
    hash: str = Field(description="blake2b of its bytes, 32 hexadecimal digits")


class Reference(Section):
    """The subject whose histogram is matched; also kept as ``reference.json`` of a prepared data set."""

    format: Literal[1] = 1
    dataset: str = Field(description="its data set")
    subject: str = Field(description="a subject of that data set's training split")
    why: str = Field(description="how it was chosen")
    lesion_masked: bool = Field(description="whether it has a lesion, which was left out")
    quantiles: tuple[float, ...] = Field(description="at which two brains are made equal")
    files: dict[str, ReferenceFile] = Field(description="by modality")
    mask: MaskFile | None = Field(
        None,
        description="its lesion mask, which was left out of the histogram; null: none, or not kept",
    )


class MatchRecord(Section):
    """How a subject's intensities were matched to the reference's."""

    reference: Reference
    source: dict[str, tuple[float, ...]] = Field(
        description="this subject's intensities at the quantiles, by modality; others were left alone"
    )


class Preparation(Section):
    """All that is known of a prepared subject."""

    format: Literal[2] = 2
    subject: str = Field(description="its id in the prepared data set")
    person: str = Field(description="whose scan it is: a person's scans share a part of the split")
    part: str = Field("", description="train, val or test where the user says so")
    attributes: dict[str, str] = Field(
        default_factory=dict, description="further columns of the split's CSV"
    )
    files: dict[str, PreparedFile] = Field(
        description="by kind: flair, t1, t1ce, t2, mask, brain, pd, fg_mask"
    )
    facts: Facts | None = Field(None, description="null: not measured")
    labels: LesionRule | None = Field(
        None, description="what the values of the prepared mask mean; null: nothing was said"
    )
    registration: RegistrationRecord | None = Field(
        None, description="null: the prepared files lie where the sources do"
    )
    matching: MatchRecord | None = Field(None, description="null: intensities are the sources'")
    warnings: tuple[str, ...] = Field((), description="what a person should look at")
    versions: dict[str, str] = Field(
        default_factory=dict, description="of what the figures depend on"
    )

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave ``labels`` out where nothing was said: sidecars of before the field was there keep their bytes."""
        found: dict[str, Any] = handler(self)
        return {key: v for key, v in found.items() if key != "labels" or v is not None}

    @property
    def reading(self) -> int:
        """The version of reading that its images were made with."""
        return int(self.versions.get("reading", AS_EVER))

    @property
    def rule(self) -> LesionRule:
        """What the values of the prepared mask mean."""
        return self.labels or LesionRule()

    @property
    def measured(self) -> Facts:
        """The facts of a subject whose files were measured.

        Raises
        ------
        UserError
            Where they were not.
        """
        if self.facts is None:
            raise UserError(f"{self.subject}: its {SIDECAR} has no facts: prepare it again")
        return self.facts

    @property
    def lesion_ml(self) -> float:
        """Volume of the lesion mask; 0 where there is none, or no mask."""
        return self.measured.lesion_ml or 0.0

    @property
    def labelled(self) -> bool:
        """Whether there is a lesion mask, or the subject is known to have no lesion."""
        return self.measured.lesion_ml is not None

    @property
    def originals(self) -> dict[str, PreparedFile]:
        """The files that lie on another grid than their sources, by kind."""
        return {kind: file for kind, file in self.files.items() if file.original is not None}

    @property
    def to_prepared(self) -> NDArray[np.float64]:
        """From the sources' world to the prepared files' (RAS, mm), float64 (4, 4)."""
        if self.registration is None:
            return np.eye(4)
        return np.array(self.registration.to_template)

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """Those of the files, then the registration's."""
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
    # No string of JSON holds a line break: what begins with one is a list.
    return re.sub(r"\[\n[-+.\deE,\s]+\]", lambda found: " ".join(found[0].split()), text)


def read_preparation(folder: Path) -> Preparation | None:
    """Read a subject's sidecar, of this or a former version; None where there is none.

    Raises
    ------
    UserError
        When it is there and cannot be understood.
    """
    path = folder / SIDECAR
    try:
        found = read_upgraded(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path}: damaged ({reason}): delete it, and prepare {folder.name} again"
        ) from error
    if found is None:
        return None
    try:
        return Preparation.model_validate_json(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path}: damaged ({where + ': ' if where else ''}{first['msg']}): delete it, and prepare "
            f"{folder.name} again"
        ) from error


def read_whole(folder: Path) -> Preparation | None:
    """Return the sidecar of a prepared subject; None where the folder is not whole.

    Every file that it names must be there, of the size it says.
    """
    try:
        found = read_preparation(folder)
        if found is None or found.subject != folder.name:
            return None
        sizes = {name: (folder / file.file).stat().st_size for name, file in found.files.items()}
    except (UserError, OSError):
        return None
    whole = all(file.bytes in (None, sizes[name]) for name, file in found.files.items())
    return found if whole else None


def original_of(scan: NiftiScan, hash_: str) -> Original:
    """Describe a file that was read, for the way back to its grid."""
    x, y, z = scan.values.shape
    return Original(hash=hash_, shape=(x, y, z), affine=as_rows(scan.affine))


def versions() -> dict[str, str]:
    """Return the versions that the prepared files depend on."""
    out = {"reading": str(READING)}
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
