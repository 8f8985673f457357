"""What the viewers show: previews of the runs, each scan once, packed as text that a page can hold."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from andi_bench.records.previews import Preview, PreviewMap, find_previews, read_preview
from andi_bench.records.store import RunRecord
from leaderboard.compare import Comparison
from leaderboard.words.run_facts import plain


@dataclass
class Images:
    """Packed previews.

    Parameters
    ----------
    blobs : dict of str to str
        Base64 of zlib-compressed bytes, by a name made of hexadecimal digits. Of a scan: scan, then mask, uint8; of a
        map: its edges, float32 little-endian, then its codes, uint8; of a further modality: its levels, uint8; all in C order.
    scans : dict of dict
        By blob: ``shape``, ``spacing``, ``origin``, ``step``.
    shown : dict
        Run's folder -> subject -> ``scan``, ``modality`` (its name), ``others`` (blobs of the further modalities) and
        ``maps`` (by chain: blob, ``edges``, ``low``, ``high``).
    found : int
        Previews in the records; what did not fit is not among ``shown``.
    bytes : int
        Size of the blobs as text.
    broken : list of str
        A line for each file that is no preview.
    """

    blobs: dict[str, str] = field(default_factory=dict)
    scans: dict[str, dict[str, Any]] = field(default_factory=dict)
    shown: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    found: int = 0
    bytes: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def kept(self) -> int:
        """Previews that are shown."""
        return sum(len(subjects) for subjects in self.shown.values())


def collect_images(comparison: Comparison, room: int | None) -> Images:
    """Pack the previews of all runs that stand in a table.

    Where they do not all fit, first seeds go before others, and subjects that many runs show before those of few: what
    is left can still be seen side by side.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.
    room : int or None
        Bytes that the packed previews may take; None: no limit.
    """
    images = Images()
    places: dict[str, dict[str, Any]] = {}
    for run, subject, path in _ordered(comparison):
        images.found += 1
        if room is not None and images.bytes >= room:
            continue
        try:
            preview = read_preview(path)
        except Exception as error:  # what is wrong with one file is no reason for no page
            images.broken.append(plain(error))
            continue
        before = set(images.blobs)
        entry = _packed(preview, images)
        if room is not None and images.bytes > room:
            for name in set(images.blobs) - before:
                images.bytes -= len(images.blobs.pop(name))
                images.scans.pop(name, None)
            room = (
                images.bytes
            )  # the first that does not fit ends the list: never a smaller one of lower order
            continue
        places.setdefault(run.run.folder_name, {})[plain(subject)] = entry
    images.shown = {name: dict(sorted(places[name].items())) for name in sorted(places)}
    return images


def _ordered(comparison: Comparison) -> Iterator[tuple[RunRecord, str, Any]]:
    """Yield run, subject and file in the order in which they are kept."""
    runs: dict[str, tuple[int, int, RunRecord]] = {}
    for table in comparison.tables:
        for place, row in enumerate(table.rows):
            for seed, run in enumerate(row.runs):
                runs.setdefault(run.run.folder_name, (seed, place, run))
    entries = []
    shared: dict[tuple[str, str], int] = {}
    for seed, place, run in runs.values():
        for subject, path in (find_previews(run.folder) if run.folder else {}).items():
            key = (run.run.dataset, subject)
            shared[key] = shared.get(key, 0) + 1
            entries.append((seed, key, place, run, path))
    entries.sort(key=lambda e: (e[0], -shared[e[1]], e[1], e[2], e[3].run.folder_name))
    for _, (_, subject), _, run, path in entries:
        yield run, subject, path


def _packed(preview: Preview, images: Images) -> dict[str, Any]:
    mask = (preview.brain + 2 * preview.lesion).astype(np.uint8)
    place = {
        "shape": list(preview.scan.shape),
        "spacing": list(preview.spacing),
        "origin": list(preview.origin),
        "step": list(preview.step),
    }
    scan = _blob(repr(place).encode(), preview.scan.tobytes() + mask.tobytes(), images)
    images.scans[scan] = place
    first, *others = preview.scans
    return {
        "scan": scan,
        "modality": plain(first),
        "others": {
            plain(name): _blob(b"", preview.scans[name].tobytes(), images) for name in others
        },
        "maps": {plain(chain): _map(found, images) for chain, found in preview.maps.items()},
    }


def _map(found: PreviewMap, images: Images) -> dict[str, Any]:
    content = found.edges.astype("<f4").tobytes() + found.codes.tobytes()
    return {
        "blob": _blob(b"", content, images),
        "edges": len(found.edges),
        "low": found.low,
        "high": found.high,
    }


def _blob(salt: bytes, content: bytes, images: Images) -> str:
    name = hashlib.sha256(salt + content).hexdigest()[:20]
    if name not in images.blobs:
        images.blobs[name] = base64.b64encode(zlib.compress(content, 9)).decode("ascii")
        images.bytes += len(images.blobs[name])
    return name
