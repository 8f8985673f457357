"""Previews of a few subjects beside made-up records: small brains with a lesion, a map that finds half of it."""

from pathlib import Path

import numpy as np

from andi_bench.records.previews import FOLDER, make_preview, reduced_scan, write_preview
from andi_bench.records.store import read_record

SIDE = 12


def leave_previews(record: Path, subjects: list[str], threshold: float = 1.5) -> None:
    """Write a preview of each subject into a record; scores above the threshold cover half of the lesion and a false spot."""
    brain = np.zeros((SIDE,) * 3, dtype=bool)
    brain[1:-1, 1:-1, 1:-1] = True
    lesion = np.zeros_like(brain)
    lesion[3:7, 3:7, 4:7] = True
    scores = np.where(brain, 1.0, 0.0).astype(np.float32)
    scores[3:5, 3:7, 4:7] = scores[8:10, 8:10, 5] = 2.0
    scan = reduced_scan(scores, brain)
    chains = read_record(record).protocol.chains
    maps, thresholds = dict.fromkeys(chains, scores), {chain: [threshold] for chain in chains}
    for name in subjects:
        shown = make_preview({"flair": scan}, brain, lesion, maps, thresholds, (2.0, 2.0, 2.0))
        write_preview(record / FOLDER / f"{name}.npz", shown)
