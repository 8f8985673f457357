"""NIfTI files, read to the last byte and checked, and written atomically."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import (
    apply_orientation,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from andi_bench.geometry import voxel_sizes
from andi_bench.names import counted
from datasets.scans.file_bytes import called, first_bytes, read_bytes
from datasets.scans.header_fields import affine_of, corner_distance, millimetres


@dataclass(frozen=True)
class NiftiScan:
    """The one volume of a file.

    Parameters
    ----------
    path : Path
        Where it was read from.
    values : (X, Y, Z) array
        Integers as stored where the file has no scaling, else float32 (or float64, see :func:`read_nifti`). Finite,
        read-only.
    affine : float64 (4, 4)
        Voxel to world, mm.
    notes : tuple of str
        What a reader of the file should know, such as bytes that were passed over.
    millimetres : float
        How many the unit of the file's header has; ``affine`` is in mm whatever the unit was.
    """

    path: Path
    values: NDArray[Any]
    affine: NDArray[np.float64]
    notes: tuple[str, ...] = ()
    millimetres: float = 1.0


def file_notes(files: Iterable[NiftiScan]) -> tuple[str, ...]:
    """Return the notes on some files, a line each with the names of the files it is said of."""
    said: dict[str, list[str]] = {}
    for file in files:
        for note in file.notes:
            said.setdefault(note, []).append(file.path.name)
    return tuple(f"{', '.join(names)}: {note}" for note, names in said.items())


def read_nifti(path: Path, *, exact: bool = False) -> NiftiScan:
    """Read a ``.nii`` or ``.nii.gz`` file (NIfTI-1 or 2, either byte order) with one 3-D volume.

    Parameters
    ----------
    path : Path
        The file.
    exact : bool
        Whether numbers that float32 cannot hold are kept: real ones are float64 then, unless float32 was stored.

    Raises
    ------
    UserError
        One line for a file that is missing, truncated, damaged, not NIfTI (a pointer in place of a file or an HTML page
        is called so), not real-valued, has no volume or more than one, an affine that
        :func:`datasets.scans.header_fields.affine_of` refuses, or values that are not finite (with their count).
    """
    content, notes = read_bytes(path)
    header, raw = _header(path, content)
    x, y, z = shape = _shape(path, header)
    values = _values(path, content, header, shape, exact=exact)
    affine, said = affine_of(path, header, raw, (x, y, z))
    return NiftiScan(path, values, affine, (*notes, *said), millimetres(raw))


def read_grid(path: Path) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """Return a file's shape and affine (4, 4), voxel to world in mm: by its header alone, where that can be read alone.

    Raises
    ------
    UserError
        As :func:`read_nifti`.
    """
    try:
        with path.open("rb") as file:
            header, raw = _header(path, first_bytes(file.read(1 << 16)))
        x, y, z = _shape(path, header)
        return (x, y, z), affine_of(path, header, raw, (x, y, z))[0]
    except (UserError, OSError):  # a long extension; and what is wrong is told by reading all of it
        scan = read_nifti(path)
        x, y, z = scan.values.shape
        return (x, y, z), scan.affine


def float32_holds(path: Path) -> bool:
    """Whether float32 holds every number that a file can hold, by its header alone; False where it cannot be told.

    Real numbers of 32 bits and whole ones of 16, without scaling.
    """
    try:
        with path.open("rb") as file:
            start = first_bytes(file.read(1 << 16))
        header, _ = _header(path, start)
        slope, inter = header.get_slope_inter()
    except (UserError, OSError, HeaderDataError):
        return False
    dtype = header.get_data_dtype()
    plain = slope is None or (slope, inter) == (1.0, 0.0)
    return plain and dtype.itemsize <= {"f": 4, "i": 2, "u": 2}.get(dtype.kind, 0)


def _shape(path: Path, header: nib.Nifti1Header) -> tuple[int, ...]:
    shape = header.get_data_shape()
    if len(shape) < 3 or any(extent != 1 for extent in shape[3:]) or 0 in shape:
        raise UserError(f"{path}: shape {_times(shape)}: one 3-D volume wanted")
    return tuple(shape[:3])


def _header(path: Path, content: bytes) -> tuple[nib.Nifti1Header, nib.Nifti1Header]:
    """Return the header as nibabel mends it, and as it stands in the file."""
    kinds = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
    first = content[:4]
    kind = kinds.get(int.from_bytes(first, "little")) or kinds.get(int.from_bytes(first, "big"))
    if kind is None:
        raise UserError(f"{path}: not a NIfTI file ({called(content)})")
    try:
        raw = kind.from_fileobj(io.BytesIO(content), check=False)
        magic = bytes(raw["magic"].item())[:2]
        if magic == b"ni":
            raise UserError(
                f"{path}: the header of a .hdr/.img pair: header and image in one file (.nii or .nii.gz) wanted"
            )
        if magic != b"n+":
            raise UserError(
                f"{path}: an ANALYZE header without NIfTI's magic: header and image in one file (.nii or .nii.gz) wanted"
            )
        header = kind.from_fileobj(io.BytesIO(content))
    except UserError:
        raise
    except Exception as error:  # nibabel raises many kinds on a damaged header
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: damaged NIfTI header ({reason})") from error
    return header, raw


def _values(
    path: Path,
    content: bytes,
    header: nib.Nifti1Header,
    shape: tuple[int, ...],
    *,
    exact: bool,
) -> NDArray[Any]:
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        what = {"c": f"complex numbers ({dtype})", "V": "colours (RGB)"}.get(dtype.kind, f"{dtype}")
        raise UserError(f"{path}: voxels are {what}: integers or real numbers wanted")
    count = int(np.prod(shape, dtype=np.int64))
    start = int(header.get_data_offset())
    wanted = start + count * dtype.itemsize
    if len(content) < wanted:
        raise UserError(f"{path}: truncated ({len(content)} bytes, {wanted} wanted)")
    stored = np.frombuffer(content, dtype=dtype, count=count, offset=start)
    stored = stored.reshape(shape, order="F")
    try:
        slope, inter = header.get_slope_inter()
    except HeaderDataError as error:
        raise UserError(f"{path}: the header's scaling is not finite") from error
    real = np.float64 if exact else np.float32
    if slope is not None and (slope, inter) != (1.0, 0.0):
        # In float64, as offsets of thousands would else eat float32's digits.
        with np.errstate(over="ignore"):  # counted below
            values = (stored * np.float64(slope) + np.float64(inter)).astype(real)
    elif dtype.kind == "f":
        narrow = dtype.itemsize <= 4
        with np.errstate(over="ignore"):
            values = stored.astype(np.float32 if narrow else real, copy=False)
    elif not dtype.isnative:
        values = stored.astype(dtype.newbyteorder("="))
    else:
        values = stored
    if values.dtype.kind == "f" and not np.isfinite(values.sum(dtype=np.float64)):
        _require_finite(path, stored, values)
    return values


def _require_finite(path: Path, stored: NDArray[Any], values: NDArray[Any]) -> None:
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if not bad:  # their sum alone is beyond float64's range
        return
    if np.isfinite(stored).all():
        raise UserError(
            f"{path}: {counted(bad, 'voxel is', 'voxels are')} beyond the range of float32: smaller values wanted"
        )
    raise UserError(f"{path}: {counted(bad, 'voxel is', 'voxels are')} NaN or infinite: 0 wanted")


def turned_along(file: NiftiScan, shape: tuple[int, ...], affine: NDArray[np.float64]) -> NiftiScan:
    """Turn a file's axes as those of a grid run, where both have the same voxels in the same place.

    Nothing is interpolated: axes are permuted and flipped. A file that lies elsewhere is returned as it is.

    Parameters
    ----------
    file : NiftiScan
        A mask or a map.
    shape : (int, int, int)
        Of the grid.
    affine : float64 (4, 4)
        Of the grid.
    """
    turn = ornt_transform(io_orientation(file.affine), io_orientation(affine))
    if np.array_equal(turn, [[0, 1], [1, 1], [2, 1]]):
        return file
    values = apply_orientation(file.values, turn)
    turned = file.affine @ inv_ornt_aff(turn, file.values.shape)
    if values.shape == tuple(shape) and same_place(values.shape, affine, turned):
        # In a file's own order, in which masks are picked from many times faster.
        return replace(file, values=np.asfortranarray(values), affine=turned)
    return file


def same_grid(first: NiftiScan, second: NiftiScan) -> bool:
    """Whether two files share shape and place: no corner moves by more than a tenth of a voxel."""
    return first.values.shape == second.values.shape and same_place(
        first.values.shape, first.affine, second.affine
    )


def same_place(
    shape: tuple[int, ...], first: NDArray[np.float64], second: NDArray[np.float64]
) -> bool:
    """Whether two affines (4, 4) put a grid of a shape in one place, to a tenth of a voxel at the corners."""
    return corner_distance(shape, first, second) <= 0.1 * min(voxel_sizes(first))


def require_same_grid(subject: str, first: NiftiScan, second: NiftiScan) -> None:
    """Refuse two files of a subject whose grids differ.

    Raises
    ------
    UserError
        Names both files, and both shapes or both affines.
    """
    if same_grid(first, second):
        return
    shapes = [scan.values.shape for scan in (first, second)]
    if shapes[0] != shapes[1]:
        what, (one, other) = "shape", (_times(shape) for shape in shapes)
    else:
        what, (one, other) = "affine", (_rows(scan.affine) for scan in (first, second))
    raise UserError(
        f"subject {subject}: {second.path.name} has {what} {other}, "
        f"{first.path.name} has {one}: one grid wanted ({second.path.parent})"
    )


def write_nifti(path: Path, values: NDArray[Any], affine: NDArray[np.float64]) -> None:
    """Write a volume atomically, masks (bool, uint8) as uint8, else float32; the same volume gives the same bytes.

    Raises
    ------
    UserError
        When the name does not end in ``.nii.gz``, or the file cannot be written.
    """
    if not path.name.endswith(".nii.gz"):
        raise UserError(f"{path}: a name ending in .nii.gz wanted")
    dtype = np.uint8 if values.dtype in (np.bool_, np.uint8) else np.float32
    image = nib.Nifti1Image(np.asarray(values, dtype=dtype), affine)
    # Both codes set: some viewers read the one, some the other.
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    write_atomically(path, gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(str(extent) for extent in shape)


def _rows(affine: NDArray[np.float64]) -> str:
    return "[" + "; ".join(" ".join(f"{value:.6g}" for value in row) for row in affine[:3]) + "]"
