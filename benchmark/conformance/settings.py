"""Checks under other settings: one modality alone, another grid, bf16. A refusal in words is as good as a map."""

from __future__ import annotations

import numpy as np
import torch

from andi_bench.errors import UserError
from benchmark.conformance.candidate import FEW_STEPS, Candidate
from benchmark.conformance.outcome import Failed
from datasets.volume import MODALITIES


def one_modality(candidate: Candidate) -> str:
    """Check that FLAIR alone, and T1 alone, are scored, or refused by an error that names a modality."""
    found = []
    for modality in ("flair", "t1"):
        run = candidate.variant(
            preprocessing={"modalities": [modality]}, training={"steps": FEW_STEPS}
        )
        volume, _ = candidate.phantom.volumes(run.preprocessing)
        try:
            candidate.score(candidate.learn(run), volume)
            found.append(f"{modality}: scored")
        except UserError as error:
            words = str(error).lower().replace(",", " ").replace(":", " ").split()
            if not set(words) & set(MODALITIES):
                raise Failed(f"{modality}: refused without naming a modality: {error}") from error
            found.append(f"{modality}: refused ({error})")
        except Exception as error:
            raise Failed(f"{modality} alone: {_line(error)}") from error
    return "; ".join(found)


def another_grid(candidate: Candidate) -> str:
    """Check that a grid half as large again is scored or refused; where refused, twice the grid is tried too."""
    size = candidate.run.preprocessing.size
    found = []
    for other in (size * 3 // 2, size * 2):
        run = candidate.variant(preprocessing={"size": other}, training={"steps": FEW_STEPS})
        volume, _ = candidate.phantom.volumes(run.preprocessing)
        try:
            candidate.score(candidate.learn(run), volume)
        except UserError as error:
            found.append(f"{other} x {other}: refused ({error})")
        except Exception as error:
            raise Failed(f"{other} x {other}: {_line(error)}") from error
        else:
            found.append(f"{other} x {other}: scored")
            break
    return "; ".join(found)


def bf16(candidate: Candidate) -> str:
    """Check that the map is finite after training and scoring in bfloat16 arithmetic."""
    run = candidate.variant(training={"steps": FEW_STEPS, "precision": "bf16"})
    volume, _ = candidate.phantom.volumes(run.preprocessing)
    detector = candidate.learn(run)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = candidate.score(detector, volume)  # refuses what is not finite
    inside = scores[volume.brain]
    return f"finite, scores {np.min(inside):.3g} to {np.max(inside):.3g}"


def _line(error: Exception) -> str:
    first = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {first}"
