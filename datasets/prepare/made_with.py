"""Images that a former version made of a scan which is read otherwise today are made again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from datasets.prepare.sidecar import Preparation
from datasets.scans.fingerprints import READ_SINCE, FingerprintCache
from datasets.scans.read_otherwise import READING


def read_alike(
    found: Preparation, sources: Iterable[Path | None], hashes: FingerprintCache
) -> bool:
    """Whether what a subject's images were made of was read then as it is read today.

    Parameters
    ----------
    found : Preparation
        The subject's sidecar; where it is of today's version, no source is opened.
    sources : iterable of Path or None
        The images that they were made of; None for one that is gone, of which nothing can be said.
    hashes : FingerprintCache
        Remembers how files are read.
    """
    if found.reading >= READING:
        return True
    return all(
        path is not None and int(hashes.hash(path, READ_SINCE), 16) <= found.reading
        for path in sources
    )


def noted(found: Preparation) -> Preparation:
    """Return the sidecar of a subject that :func:`read_alike` accepts, so that its sources are not asked again."""
    return found.model_copy(update={"versions": {**found.versions, "reading": str(READING)}})


def current_reading(found: Preparation, sources: Iterable[Path], folder: Path) -> bool:
    """As :func:`read_alike`; where it holds of a former version's sidecar, that is noted in it.

    Raises
    ------
    UserError
        When the sidecar cannot be written.
    """
    if not read_alike(found, sources, FingerprintCache()):
        return False
    if found.reading < READING:
        noted(found).write(folder)
    return True
