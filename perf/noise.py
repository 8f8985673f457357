"""What noise costs of a training step at 128x128: white, pyramid and simplex, and simplex the published way.

Run as ``python -m perf.noise``; ``--slices`` and ``--base-width`` change the step. The published way calls the package
``opensimplex`` for every slice, channel and octave; without numba that takes seconds a slice, so it is timed on one slice and one
channel and multiplied.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from andi_bench.randomness import SliceGenerator
from methods.base import ImageSpec
from methods.baselines.anoddpm import AnoDDPM, AnoDDPMConfig
from methods.diffusion.noise import draw_noise
from methods.diffusion.simplex import FREQUENCY, OCTAVES, PERSISTENCE, TIME

EDGE = 128
CHANNELS = 4


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call, after one that warms up."""
    work()
    found = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return float(np.median(found))


def published(seed: int) -> np.ndarray:
    """Simplex noise of one slice and channel through the package."""
    import opensimplex

    noise = opensimplex.OpenSimplex(seed)
    out = np.zeros((EDGE, EDGE))
    pixels = np.arange(EDGE)
    for octave in range(OCTAVES):
        f = FREQUENCY / 2**octave
        layer = noise.noise3array(pixels / f, pixels / f, np.array([TIME / f]))
        out += PERSISTENCE**octave * layer[0]
    return out


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--base-width", type=int, default=32)
    given = parser.parse_args()
    shape = (CHANNELS, EDGE, EDGE)
    generator = SliceGenerator(range(given.slices))
    spec = ImageSpec(("flair", "t1", "t1ce", "t2"), (EDGE, EDGE))
    config = AnoDDPMConfig(base_width=given.base_width, training_noise="gaussian")
    detector = AnoDDPM(config, spec)
    detector.net = detector.network()
    optimizer = torch.optim.AdamW(detector.net.parameters())
    batch = torch.rand(given.slices, *shape)

    def step() -> None:
        optimizer.zero_grad()
        detector.loss(batch, generator).backward()
        optimizer.step()

    white = seconds(lambda: draw_noise("gaussian", generator, shape), 5)
    without = seconds(step, 3) - white
    rows = [
        (name, seconds(lambda n=name: draw_noise(n, generator, shape), 5))
        for name in ("gaussian", "pyramid", "simplex")
    ]
    begun = time.perf_counter()
    published(1)
    rows.append(("simplex, published way", (time.perf_counter() - begun) * given.slices * CHANNELS))
    print(
        f"{given.slices} slices of {CHANNELS}x{EDGE}x{EDGE}, {torch.get_num_threads()} threads; a step without noise takes {without:.2f} s\n"
    )
    print("| noise | seconds a batch | share of a step |\n| --- | ---: | ---: |")
    for name, found in rows:
        print(f"| {name} | {found:.3f} | {100 * found / (found + without):.1f} % |")


if __name__ == "__main__":
    main()
