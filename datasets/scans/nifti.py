"""NIfTI files, read to the last byte and checked, and written atomically."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from andi_bench.geometry import voxel_sizes

_GZIP = b"\x1f\x8b"
_LARGEST_RATIO = 1040  # deflate never expands a byte to more


@dataclass(frozen=True)
class NiftiScan:
    """The one volume of a file.

    Parameters
    ----------
    path : Path
        Where it was read from.
    values : (X, Y, Z) array
        Integers as stored where the file has no scaling, else float32. Finite, read-only.
    affine : float64 (4, 4)
        Voxel to world, mm.
    """

    path: Path
    values: NDArray[Any]
    affine: NDArray[np.float64]


def read_nifti(path: Path) -> NiftiScan:
    """Read a ``.nii`` or ``.nii.gz`` file (NIfTI-1 or 2, either byte order) with one 3-D volume.

    Raises
    ------
    UserError
        One line for a file that is missing, truncated, damaged, not NIfTI, not real-valued, has no volume or
        more than one, a singular affine, or values that are not finite (with their count).
    """
    content = _decompressed(path)
    header = _header(path, content)
    shape = header.get_data_shape()
    if len(shape) < 3 or any(extent != 1 for extent in shape[3:]) or 0 in shape:
        raise UserError(f"{path}: shape {_times(shape)}: one 3-D volume wanted")
    values = _values(path, content, header, shape[:3])
    try:
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    except (ValueError, HeaderDataError) as error:
        raise UserError(f"{path}: the header's orientation is not valid ({error})") from error
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise UserError(f"{path}: the header's affine is singular: voxel sizes in mm wanted")
    return NiftiScan(path, values, affine)


def _decompressed(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if raw[:2] != _GZIP:
        return raw
    try:
        # The last four bytes tell the size: one allocation of it doubles zlib's speed.
        size = min(int.from_bytes(raw[-4:], "little"), _LARGEST_RATIO * len(raw))
        content = zlib.decompress(raw, wbits=31, bufsize=max(size, 1 << 14))
        if len(content) != size:  # several gzip members in a row, as parallel compressors write
            content = gzip.decompress(raw)
    except (zlib.error, EOFError, OSError) as error:
        raise UserError(f"{path}: truncated or damaged gzip file ({error})") from error
    return content


def _header(path: Path, content: bytes) -> nib.Nifti1Header:
    kinds = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
    first = content[:4]
    kind = kinds.get(int.from_bytes(first, "little")) or kinds.get(int.from_bytes(first, "big"))
    if kind is None:
        raise UserError(
            f"{path}: not a NIfTI file (its first bytes are {first.hex() or 'missing'})"
        )
    try:
        header = kind.from_fileobj(io.BytesIO(content))
    except Exception as error:  # nibabel raises many kinds on a damaged header
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: damaged NIfTI header ({reason})") from error
    if bytes(header["magic"].item())[:2] != b"n+":
        raise UserError(f"{path}: header and image in one file (.nii or .nii.gz) wanted")
    return header


def _values(
    path: Path, content: bytes, header: nib.Nifti1Header, shape: tuple[int, ...]
) -> NDArray[Any]:
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        raise UserError(f"{path}: voxels of type {dtype}: integers or real numbers wanted")
    count = int(np.prod(shape, dtype=np.int64))
    start = int(header.get_data_offset())
    wanted = start + count * dtype.itemsize
    if len(content) < wanted:
        raise UserError(f"{path}: truncated ({len(content)} bytes, {wanted} wanted)")
    values = np.frombuffer(content, dtype=dtype, count=count, offset=start)
    values = values.reshape(shape, order="F")
    try:
        slope, inter = header.get_slope_inter()
    except HeaderDataError as error:
        raise UserError(f"{path}: the header's scaling is not finite") from error
    if slope is not None and (slope, inter) != (1.0, 0.0):
        # In float64, as offsets of thousands would else eat float32's digits.
        values = (values * np.float64(slope) + np.float64(inter)).astype(np.float32)
    elif dtype.kind == "f":
        with np.errstate(over="ignore"):  # counted below
            values = values.astype(np.float32, copy=False)
    elif not dtype.isnative:
        values = values.astype(dtype.newbyteorder("="))
    if values.dtype.kind == "f" and not np.isfinite(values.sum(dtype=np.float64)):
        bad = int(np.count_nonzero(~np.isfinite(values)))
        raise UserError(f"{path}: {bad} voxels are NaN or infinite: 0 wanted")
    return values


def same_grid(first: NiftiScan, second: NiftiScan) -> bool:
    """Whether two files share shape and place: no corner moves by more than a tenth of a voxel."""
    return first.values.shape == second.values.shape and same_place(
        first.values.shape, first.affine, second.affine
    )


def same_place(
    shape: tuple[int, ...], first: NDArray[np.float64], second: NDArray[np.float64]
) -> bool:
    """Whether two affines (4, 4) put a grid of a shape in one place, to a tenth of a voxel at the corners."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1)
    apart = (first - second) @ np.vstack([corners, np.ones(8)])
    smallest = min(voxel_sizes(first))
    return bool(np.sqrt((apart[:3] ** 2).sum(axis=0)).max() <= 0.1 * smallest)


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
