"""How long training steps take with denormal numbers and with 0 in their place, after a network has learnt for some steps.

Run as ``OMP_NUM_THREADS=1 python -m perf.denormals dae ae`` (methods with a network; preset ``quick``, slices of the synthetic brain
of ``python -m benchmark speed``). Denormals come as a network learns, so a fresh one says nothing: a training of ``--steps`` steps goes
first, and then steps of either kind take turns on the same network. Prints the medians, and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import torch


def measure(method: str, steps: int, repeats: int) -> None:
    """Train, then time steps with denormals and without in turn."""
    from accelerate import Accelerator

    from andi_bench.config import load_run_config, method_entry
    from andi_bench.console import Console
    from benchmark.run.allocator import keep_freed_memory
    from benchmark.speed.synthetic_brain import SyntheticStore, synthetic_volume
    from benchmark.training import trainer as loop
    from benchmark.training.stored_slices import StoredSlices
    from methods.base import ImageSpec
    from methods.catalogue import build_detector, detector_class

    keep_freed_memory()
    config = load_run_config(method_entry(method), "quick", [], method)
    size = config.preprocessing.size
    volume = synthetic_volume(config.preprocessing)
    spec = ImageSpec(volume.modalities, (size, size))
    detector = cast(
        "Any", build_detector(detector_class(method), config.detector, spec, 0, torch.device("cpu"))
    )
    settings = config.training.model_copy(update={"steps": steps + 2 * repeats})
    seen = StoredSlices(cast("Any", SyntheticStore(volume, 600)))
    found: dict[bool, list[float]] = {True: [], False: []}

    class Timed(loop.Trainer):
        """Counts denormals as 0 at every other step of the last ones."""

        def _step(self, *given: Any) -> torch.Tensor:
            as_zero = self.state.step < steps or self.state.step % 2 == 0
            torch.set_flush_denormal(as_zero)
            begun = time.perf_counter()
            loss = super()._step(*given)
            if self.state.step >= steps:
                found[as_zero].append(time.perf_counter() - begun)
            return loss

    loop.denormals_as_zero = nullcontext
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "progress.safetensors"
        detector.fit(seen, Timed(Accelerator(cpu=True), settings, 0, progress, Console(quiet=True)))
    torch.set_flush_denormal(False)
    kept, zero = (statistics.median(found[way]) for way in (False, True))
    print(f"| {method} | {steps} | {kept:.3f} | {zero:.3f} | {kept / zero:.2f} |", flush=True)


def main() -> None:
    """Measure each method that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="+")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=20)
    asked = parser.parse_args()
    print(
        "| method | steps before | with denormals, s | as 0, s | ratio |\n| --- | --- | --- | --- | --- |"
    )
    for method in asked.methods:
        measure(method, asked.steps, asked.repeats)


if __name__ == "__main__":
    main()
