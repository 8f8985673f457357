"""ANDi's volume and a training step against a plain loop as published, alternating, at equal noise.

Run as ``python -m perf.andi_volume --steps 2``. Each figure comes from a process of its own, because memory is kept
otherwise in ours; plain and ours take turns. The figures are processor seconds a time step (the ratio does not depend on
their number) and wall seconds. ``--only fast`` scores in the brain's box (``preprocessing.crop=brain``), and says besides how many
times faster a volume of ``--calls`` network calls a slice is than the published 125 of the whole plane.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

SIZE = 128
"""Grid of the publication."""
PUBLISHED_CALLS = 125
"""Network calls a slice."""


def score(how: str, steps: int, folder: Path) -> None:
    """Score the volume one way in this process (plain, ours, or ours in the brain's box); print processor and wall seconds a time step."""
    from andi_bench.config import PreprocessingConfig, ScoringConfig
    from andi_bench.randomness import SliceGenerator, derive_seed
    from benchmark.run.allocator import keep_freed_memory
    from benchmark.scoring.engine import ScoreEngine, score_volume
    from benchmark.speed.plain_loops import PlainLoop
    from benchmark.speed.synthetic_brain import DEPTH, synthetic_volume
    from datasets.scans.crop import box_around, cropped
    from methods.base import ImageSpec
    from methods.catalogue import build_detector, detector_class

    scan, cpu = synthetic_volume(PreprocessingConfig(size=SIZE)), torch.device("cpu")
    values = {"t_low": 200 - steps, "t_high": 200}
    if how == "box":
        scan = cropped(scan, box_around([scan.brain], SIZE))
    x, y, _ = scan.shape
    spec = ImageSpec(scan.modalities, (x, y))
    detector = build_detector(detector_class("andi"), values, spec, 0, cpu)
    detector.net.eval()
    if how in ("ours", "box"):
        keep_freed_memory()
        engine = ScoreEngine(0, cpu, ScoringConfig(reduction="max"), scan.modalities)
        begun, cpu_begun = time.perf_counter(), time.process_time()
        found = score_volume(detector, scan, engine).map
    else:
        loop = PlainLoop(detector, DEPTH, cpu)
        seeds = [derive_seed(0, scan.subject, z, "score") for z in range(DEPTH)]
        times = iter(range(199, 199 - steps, -1))

        def noise(image: torch.Tensor) -> torch.Tensor:
            drawn = SliceGenerator(seeds).fork(f"t = {next(times)}, draw 0")
            return drawn.normal(*image.shape[1:])

        begun, cpu_begun = time.perf_counter(), time.process_time()
        scores = loop.score(scan, noise=noise)
        found = scores.permute(1, 2, 0).numpy() * scan.brain
    print((time.process_time() - cpu_begun) / steps, (time.perf_counter() - begun) / steps)
    np.save(folder / f"{how}.npy", found)


def train(how: str, batch: int) -> None:
    """Do three training steps one way, and print processor and wall seconds of the fastest."""
    from andi_bench.config import TrainingConfig
    from andi_bench.randomness import SliceGenerator
    from benchmark.run.allocator import keep_freed_memory
    from benchmark.speed.plain_loops import PlainLoop
    from benchmark.training.state import MovingAverage
    from methods.base import ImageSpec
    from methods.catalogue import build_detector, detector_class

    torch.manual_seed(0)
    images = torch.rand(batch, 4, SIZE, SIZE)
    spec, cpu = ImageSpec(("flair", "t1", "t1ce", "t2"), (SIZE, SIZE)), torch.device("cpu")
    detector = build_detector(detector_class("andi"), {}, spec, 0, cpu)
    loop, settings = PlainLoop(detector, batch, cpu), TrainingConfig()
    if how == "ours":
        keep_freed_memory()
    optimizer = torch.optim.AdamW(detector.net.parameters(), 1e-4)
    average = MovingAverage(detector.net, 0.995, 0)
    taken = []
    for step in range(3):
        begun, cpu_begun = time.perf_counter(), time.process_time()
        if how == "ours":
            first = step * batch
            detector.loss(images, SliceGenerator(range(first, first + batch))).backward()
            torch.nn.utils.clip_grad_norm_(detector.net.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            average.update(step + 1)
        else:
            loop.step(images, settings)
        taken.append((time.process_time() - cpu_begun, time.perf_counter() - begun))
    print(*min(taken))


def measured(*arguments: object) -> tuple[float, float]:
    """Run one measurement in a process of its own; return processor and wall seconds."""
    command = [sys.executable, "-m", "perf.andi_volume", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    first, second = done.stdout.split()[-2:]
    return float(first), float(second)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2, help="time steps scored")
    parser.add_argument("--batch", type=int, default=16, help="slices of a training step")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["score", "train", "fast"])
    parser.add_argument(
        "--calls", type=int, default=25, help="network calls a slice of the fast way"
    )
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "HOW"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        what, how = given.one
        train(how, given.batch) if what == "train" else score(how, given.steps, given.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        for what in [given.only] if given.only else ["score", "train"]:
            rest = ["--steps", given.steps, "--batch", given.batch, "--folder", folder]
            second = "box" if what == "fast" else "ours"
            taken: dict[str, list[tuple[float, float]]] = {"published": [], second: []}
            for _ in range(given.repeats):
                for how, kept in taken.items():
                    kept.append(measured("--one", what, how, *rest))
            for place, unit in ((0, "processor"), (1, "wall")):
                middle = {h: statistics.median(t[place] for t in k) for h, k in taken.items()}
                ratio = middle["published"] / middle[second]
                words = ", ".join(f"{how} {value:.2f} s" for how, value in middle.items())
                print(f"{what}, {unit}: {words}, ratio {ratio:.2f}")
                if what == "fast":
                    volumes = ratio * PUBLISHED_CALLS / given.calls
                    print(f"{given.calls} calls for {PUBLISHED_CALLS}: {volumes:.1f} times")
        if given.only in (None, "score"):
            maps = [np.load(Path(folder) / f"{how}.npy") for how in ("published", "ours")]
            difference = np.abs(maps[0] - maps[1]).max() / maps[0].max()
            print(f"largest difference of the maps: {difference:.1e} of the largest score")


if __name__ == "__main__":
    main()
