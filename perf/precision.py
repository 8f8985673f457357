"""What bf16 in scoring does to maps and average precision, method by method, on the tiny phantom.

Run as ``python -m perf.precision``. Each method learns as in ``benchmark test``, and is scored in float32 and in bf16 with
the same noise. On a CPU without bf16 instructions bf16 is simulated by the library (slow, and rounded alike).
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import torch


def row(name: str, phantom, folder: Path, device: torch.device, steps: int) -> str | None:
    """Return a line of the table; None for a method without a network."""
    from sklearn.metrics import average_precision_score

    from benchmark.conformance.candidate import Candidate
    from benchmark.scoring import network_form
    from benchmark.scoring.engine import ScoreEngine, score_volume

    candidate = Candidate(name, phantom, folder)
    if not candidate.has_network:
        return None
    run = candidate.variant(training={"steps": steps})
    volume, _ = phantom.volumes(run.preprocessing)
    detector = candidate.learn(run)
    detector.to(device)
    engine = ScoreEngine(0, device, run.scoring, run.preprocessing.modalities)
    maps = []
    for precision in ("float32", "bf16"):
        mine = copy.deepcopy(detector)
        config = run.scoring.model_copy(update={"precision": precision})
        with mock.patch.object(network_form, "_cpu_has_bf16", return_value=True):
            network_form.shape_network(mine, config, device)
        maps.append(score_volume(mine, volume, engine).map[volume.brain])
    truth = volume.lesion[volume.brain]
    exact, rounded = maps
    aps = [average_precision_score(truth, scores) for scores in maps]
    ranks = [scores.argsort().argsort() for scores in maps]
    spearman = np.corrcoef(*ranks)[0, 1]
    error, middle = np.abs(rounded - exact), np.median(exact)
    change = f"{np.median(error) / middle:.1e}" if middle else "(half of the map is 0)"
    return (
        f"| {name} | {change} | {error.max() / exact.max():.1e} | "
        f"{spearman:.5f} | {aps[0]:.4f} | {aps[1]:.4f} | {aps[1] - aps[0]:+.4f} |"
    )


def main() -> None:
    from andi_bench.config import names_in
    from benchmark.conformance.tiny_phantom import TinyPhantom

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200, help="of each training")
    parser.add_argument("--methods", nargs="*", default=names_in("methods"))
    given = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(
        "| method | median change | largest change | rank correlation | AP float32 | AP bf16 | change |"
    )
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        phantom = TinyPhantom(Path(folder) / "phantom")
        for name in given.methods:
            line = row(name, phantom, Path(folder), device, given.steps)
            if line is not None:
                print(line, flush=True)


if __name__ == "__main__":
    main()
