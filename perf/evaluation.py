"""CPU seconds and peak memory of the evaluation, beside the same quantities computed as the published code does.

Run as ``python -m perf.evaluation``; ``--sizes 2 8 32`` says for how many volumes. Each case runs in a process of its
own, on one core. The published way needs memory for all maps at once: ``--published 2 8`` says for how many it is run.

Both ways give, for raw and 5x5x5-median-filtered maps of 128x128x155 voxels: Dice over a sweep of thresholds with its
best one, the thresholds of two false-positive rates, Dice at Yen's threshold after one dilation, pooled average
precision. Ours counts the brain and sweeps over all scores; the published way counts the whole grid and sweeps over 290
thresholds. What ours gives on top (AUROC, figures of each subject, surfaces, lesions, intervals from 1,000 resamples,
sub-groups) is timed apart.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from perf.memory import subject

SWEEP = np.arange(0.01, 0.3, 0.001)
RATES = (0.01, 0.05)

stages: dict[str, float] = defaultdict(float)


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Add the CPU time of a block to a stage."""
    begun = time.process_time()
    yield
    stages[stage] += time.process_time() - begun


def ours(count: int) -> None:
    """Evaluate so many test volumes, one at a time; thresholds are frozen on a quarter as many others."""
    from andi_bench.config import EvaluationConfig
    from andi_bench.metrics import thresholds
    from andi_bench.metrics.histograms.binning import score_histogram
    from andi_bench.metrics.histograms.histogram import PackedHistograms, ScoreHistogram
    from andi_bench.metrics.histograms.pooled import pooled_auroc, pooled_average_precision
    from andi_bench.metrics.points import rates
    from benchmark.evaluation.protocol import chains_of, evaluate

    warm_up()
    config = EvaluationConfig()
    names = [str(k) for k in range(count)]
    chains = chains_of(config)
    kept = {chain.name: PackedHistograms() for chain in chains}
    for name in names:
        scored = subject(name)
        for chain in chains:
            with timed("median"):
                scores = chain.apply(scored.map, scored.brain)
            with timed("score histogram"):
                histogram = score_histogram(scores, scored.brain, scored.lesion)
                kept[chain.name].append(histogram)
            with timed("Yen and dilation"):
                detection, _ = thresholds.yen_detection(scores, scored.brain)
                overlap(detection, scored.lesion & scored.brain)
    for chain in chains:
        with timed("sweep"):
            thresholds.best_dice(kept[chain.name])
        with timed("false-positive rates"):
            thresholds.false_positive_thresholds(kept[chain.name], rates())
        with timed("pooled AP"):
            merged = ScoreHistogram.merge(kept[chain.name])
            pooled_average_precision(merged)
            pooled_auroc(merged)
    del kept
    with timed("everything the record holds"):
        evaluate(subject, names[: max(1, count // 4)], names, config, workers=1)
    with timed("of which making the volumes"):
        for name in [*names[: max(1, count // 4)], *names]:
            subject(name)


def warm_up() -> None:
    """Import what both ways need, which else would count for the first volume."""
    from skimage.filters import threshold_yen

    threshold_yen(np.arange(9.0))


def overlap(detection: np.ndarray, lesion: np.ndarray) -> float:
    """Dice by counting."""
    from andi_bench.metrics.overlap import overlap as count

    return count(detection, lesion).dice


def published(count: int) -> None:
    """Compute the quantities of the paper as its code does: all maps in memory, float32 masks, 290 thresholds."""
    from scipy import ndimage
    from skimage.filters import threshold_yen
    from sklearn.metrics import average_precision_score

    warm_up()
    scored = [subject(str(k)) for k in range(count)]
    lesions = np.stack([one.lesion for one in scored]).astype(np.float32)
    raw = np.stack([one.map for one in scored])
    del scored
    with timed("median"):
        filtered = np.stack([ndimage.median_filter(one, 5) for one in raw])
    for maps in (raw, filtered):
        maps = (maps - maps.min()) / (maps.max() - maps.min())
        with timed("sweep"):
            best = 0.0
            for threshold in SWEEP:
                found = [
                    float_dice(one, lesion, threshold)
                    for one, lesion in zip(maps, lesions, strict=True)
                ]
                best = max(best, float(np.mean(found)))
        with timed("false-positive rates"):
            np.quantile(maps[lesions == 0], [1 - rate for rate in RATES])
        with timed("Yen and dilation"):
            for one, lesion in zip(maps, lesions, strict=True):
                dilated = ndimage.binary_dilation(one > threshold_yen(one)).astype(np.float32)
                float_dice(dilated, lesion, 0.5)
        with timed("pooled AP"):
            average_precision_score(lesions.ravel() > 0, maps.ravel())


def float_dice(scores: np.ndarray, lesion: np.ndarray, threshold: float) -> float:
    """Dice of one volume by sums over float32 masks."""
    detection = (scores > threshold).astype(np.float32)
    return float(2 * (detection * lesion).sum() / (detection.sum() + lesion.sum()))


def measure(kind: str, count: int) -> dict[str, float]:
    """Run one case in a process of its own; return CPU seconds by stage, and peak memory in MiB."""
    command = [sys.executable, "-m", "perf.evaluation", "--one", kind, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


PAPER = (
    "median",
    "score histogram",
    "sweep",
    "false-positive rates",
    "Yen and dilation",
    "pooled AP",
)


def main() -> None:
    """Print one table of seconds a volume, and one of peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("KIND", "N"), help="measure one case and stop")
    parser.add_argument("--sizes", nargs="+", type=int, default=[2, 8, 32])
    parser.add_argument("--published", nargs="+", type=int, default=[2, 8, 32])
    given = parser.parse_args()
    if given.one:
        {"ours": ours, "published": published}[given.one[0]](int(given.one[1]))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**stages, "memory": memory}))
        return
    print("| volumes | stage | ours, CPU s a volume | published way | ratio |")
    print("| ---: | --- | ---: | ---: | ---: |")
    memory = []
    for count in given.sizes:
        mine = measure("ours", count)
        theirs = measure("published", count) if count in given.published else {}
        memory.append((count, mine["memory"], theirs.get("memory")))
        totals = [sum(found.get(stage, 0.0) for stage in PAPER) for found in (mine, theirs)]
        rows = [(stage, mine[stage], theirs.get(stage)) for stage in PAPER]
        rows.append(("in total", totals[0], totals[1] or None))
        rest = mine["everything the record holds"] - mine["of which making the volumes"]
        rows.append(("the whole record, with validation volumes", rest, None))
        for stage, own, other in rows:
            shown = "" if other is None else f"{other / count:.4f}"
            ratio = "" if not other else f"{other / own:.0f}"
            print(f"| {count} | {stage} | {own / count:.4f} | {shown} | {ratio} |", flush=True)
    print("\n| volumes | peak memory, MiB | published way |\n| ---: | ---: | ---: |")
    for count, own, other in memory:
        print(f"| {count} | {own:.0f} | {'' if other is None else f'{other:.0f}'} |")


if __name__ == "__main__":
    main()
