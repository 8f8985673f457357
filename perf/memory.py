"""Peak memory of scoring against the number of time steps, and of evaluation against the number of subjects.

Run as ``python -m perf.memory``. Each figure comes from a process of its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

import numpy as np

SHAPE = (128, 128, 155)


def subject(name: str):
    """Make one scored subject of 128x128x155 voxels, a function of its name alone.

    The brain is an ellipsoid of 70x85x60 mm, 1.5 litres as an adult's, on BraTS21's grid resized to 128x128; the lesion
    is a ball of some 40 ml.
    """
    from benchmark.scoring.map_store import ScoredSubject

    rng = np.random.default_rng(int(name))
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in SHAPE]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    mm = [np.abs(along) * 120 for along in (x, y)] + [np.abs(z) * 77.5]
    brain = (mm[0] / 70) ** 2 + (mm[1] / 85) ** 2 + (mm[2] / 60) ** 2 < 1
    a, b, c = rng.uniform(-0.4, 0.4, 3)
    lesion = ((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2 < 0.04) & brain
    scores = rng.gamma(2.0, 1.0, SHAPE).astype(np.float32) + np.float32(3) * lesion
    return ScoredSubject(name, np.where(brain, scores, 0), brain, lesion, (1.875, 1.875, 1.0))


def evaluate(count: int) -> None:
    """Evaluate so many subjects in this process."""
    from andi_bench.config import EvaluationConfig
    from benchmark.evaluation.protocol import evaluate as run

    names = [str(k) for k in range(count)]
    half = max(1, count // 4)
    run(subject, names[:half], names[half:], EvaluationConfig(), workers=1)


def score(steps: int) -> None:
    """Score one volume of 32 slices with so many time steps."""
    import torch

    from andi_bench.config import ScoringConfig
    from benchmark.scoring.engine import ScoreEngine, score_volume
    from datasets.volume import MODALITIES, NativeGrid, Volume
    from methods.base import ImageSpec
    from methods.catalogue import build_detector, detector_class

    cpu = torch.device("cpu")
    values = {"base_width": 8, "attention": [16], "t_low": 25, "t_high": 25 + steps, "stride": 1}
    spec = ImageSpec(MODALITIES, (64, 64))
    detector = build_detector(detector_class("andi"), values, spec, 0, cpu)
    shape = (64, 64, 32)
    grid = NativeGrid(shape, np.eye(4), np.zeros((3, 2)), ((0, 0), (0, 0)))
    image = np.random.default_rng(0).random((4, *shape), dtype=np.float32)
    volume = Volume("a", image, np.ones(shape, dtype=bool), None, np.eye(4), grid)
    score_volume(detector, volume, ScoreEngine(0, cpu, ScoringConfig(batch_size=32)))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("KIND", "N"), help="measure one case and stop")
    given = parser.parse_args().one
    if given:
        {"evaluation": evaluate, "scoring": score}[given[0]](int(given[1]))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    for kind, unit, sizes in (
        ("evaluation", "subjects of 128x128x155", (2, 8, 32)),
        ("scoring", "time steps", (1, 25, 100)),
    ):
        print(f"| {unit} | peak memory of {kind}, MiB |\n| ---: | ---: |")
        for size in sizes:
            command = [sys.executable, "-m", "perf.memory", "--one", kind, str(size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"| {size} | {float(done.stdout.split()[-1]):.0f} |")
        print()


if __name__ == "__main__":
    main()
