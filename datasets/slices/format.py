"""How a slice store lies on disk.

A folder holds ``slices.lmdb`` (one file), ``manifest.json`` and ``slices.csv``; the manifest is written last, so
where it stands the store is whole. In the database:

- ``identity``: canonical JSON of what the store was made from;
- ``s`` + subject number: JSON of one subject (id, depth, slice numbers), written in one transaction with
- ``x`` + subject number + slice number: one slice, a 32-byte header (magic, numpy dtype, checksum of the
  voxels, C, H, W) and the voxels, C-contiguous.

Numbers in keys are 4 bytes, big-endian, so keys sort by subject and slice. Any language can read it.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError

DATABASE = "slices.lmdb"
MANIFEST = "manifest.json"
TABLE = "slices.csv"
VERSION = 1
IDENTITY_KEY = b"identity"

_HEADER = struct.Struct("<4s4sI3I8x")
_MAGIC = b"ABSL"
_DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2")}


def canonical(value: Any) -> bytes:
    """Return JSON with sorted keys and no spaces: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def identity_hash(identity: dict[str, Any]) -> str:
    """Hash what a store was made from, 32 hexadecimal digits."""
    return hashlib.blake2b(canonical(identity), digest_size=16).hexdigest()


def subject_key(number: int) -> bytes:
    """Return the key of a subject's record."""
    return b"s" + struct.pack(">I", number)


def slice_key(number: int, z: int) -> bytes:
    """Return the key of slice ``z`` of a subject."""
    return b"x" + struct.pack(">II", number, z)


def packed_size(shape: Sequence[int], dtype: str) -> int:
    """Return the bytes of one stored slice (C, H, W)."""
    return _HEADER.size + _DTYPES[dtype].itemsize * int(np.prod(shape, dtype=np.int64))


def pack(image: NDArray[np.float32], dtype: str) -> bytes:
    """Return a slice (C, H, W) as it is stored, in "float32" or "float16".

    Raises
    ------
    ValueError
        When float16 cannot hold a value.
    """
    with np.errstate(over="ignore"):  # said below
        voxels = np.ascontiguousarray(image, dtype=_DTYPES[dtype])
    if dtype == "float16" and not np.isfinite(voxels).all():
        raise ValueError(f"an intensity of {np.abs(image).max():g} is beyond float16")
    content = voxels.tobytes()
    header = _HEADER.pack(_MAGIC, voxels.dtype.str.encode(), zlib.crc32(content), *voxels.shape)
    return header + content


def unpack(
    value: memoryview | bytes | None, shape: tuple[int, int, int], where: Path, *, check: bool
) -> NDArray[Any]:
    """Return a stored slice as a read-only view (C, H, W) of the database's memory.

    Parameters
    ----------
    value : memoryview or None
        As stored; None when the key is missing.
    shape : (int, int, int)
        The store's.
    where : Path
        For messages.
    check : bool
        Whether to compare the checksum.

    Raises
    ------
    UserError
        When the slice is missing or damaged.
    """
    if value is None:
        raise damaged(where, "a slice is missing")
    if len(value) < _HEADER.size:
        raise damaged(where, "a slice is cut short")
    magic, code, checksum, *found = _HEADER.unpack_from(value)
    if magic != _MAGIC or tuple(found) != shape:
        raise damaged(where, "a slice has another header")
    dtype = next((d for d in _DTYPES.values() if d.str.encode() == code.rstrip(b"\0")), None)
    content = value[_HEADER.size :]
    if dtype is None or len(content) != dtype.itemsize * int(np.prod(shape)):
        raise damaged(where, "a slice has another size")
    if check and zlib.crc32(content) != checksum:
        raise damaged(where, "a slice's checksum differs")
    return np.frombuffer(content, dtype=dtype).reshape(shape)


def damaged(folder: Path, reason: str) -> UserError:
    """Build the error for a store that must not be used."""
    return UserError(
        f"slice store {folder}: damaged ({reason}): delete the folder to build it again"
    )


def require_whole_file(folder: Path, last_page: int, page_size: int) -> None:
    """Refuse a database whose file is shorter than its own count of pages.

    Reading beyond the end of a mapped file would end the process without a word.

    Raises
    ------
    UserError
        When the file is too short.
    """
    size = (folder / DATABASE).stat().st_size
    wanted = (last_page + 1) * page_size
    if size < wanted:
        raise damaged(folder, f"{DATABASE} has {size} bytes, {wanted} wanted")
