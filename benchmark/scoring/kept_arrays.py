"""The one form that is kept of a subject: arrays, and what is said of them as JSON, in a plain .npz archive (no pickle)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError


@contextmanager
def kept_arrays(
    path: Path, what: str, remedy: str
) -> Iterator[tuple[Mapping[str, NDArray[Any]], Any]]:
    """Open a file; its arrays are read as they are asked for, within the block.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it is, for the message that it is damaged.
    remedy : str
        What deleting it is good for.

    Raises
    ------
    UserError
        When the file is missing or damaged, or what is asked for in the block is not in it.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            yield archive, json.loads(archive["meta"].tobytes())
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: damaged {what} ({error}); delete it to {remedy}") from error


def said(meta: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return what is said of the arrays as the array ``meta`` of the file, uint8 (bytes of JSON,)."""
    return np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
