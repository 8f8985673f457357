"""Records of drawn maps whose subjects are half without a lesion, with ages and several seeds, by the real evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from andi_bench.config import EvaluationConfig
from andi_bench.records.store import DataInfo, MethodInfo
from benchmark.evaluation.protocol import evaluate
from benchmark.scoring.map_store import ScoredSubject
from support.small_evaluation import made_run, recorded

VAL = ("v0", "v1", "v2", "v3")
TEST = tuple(f"t{k}" for k in range(12))
CONFIG = EvaluationConfig(bootstraps=30, median=3)
SHAPE, SPACING = (16, 14, 10), (4.0, 4.0, 5.0)


def mixed(name: str, skill: float, seed: int = 0) -> ScoredSubject:
    """Return a subject: an odd one has no lesion; older with the number; map of noise and of ``skill`` in the lesion."""
    number = int(name[1:])
    rng = np.random.default_rng([ord(name[0]), number, seed])
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij")
    brain = sum(axis**2 for axis in axes) < 0.9
    near = sum((axis - 0.05 * (number % 5)) ** 2 for axis in axes)
    lesion = (near < 0.1) & brain & (number % 2 == 0)
    scores = (rng.gamma(2, size=SHAPE) + skill * lesion).astype(np.float32) * brain
    attributes = {"age": str(20 + 5 * number), "sex": "fm"[number // 2 % 2]}
    return ScoredSubject(name, scores, brain, lesion, SPACING, "AB"[number % 2], attributes)


def mixed_record(
    records: Path,
    method: str,
    skill: float,
    seed: int = 0,
    family: str = "",
    test: tuple[str, ...] = TEST,
) -> Path:
    """Evaluate them and write the record; returns its folder."""
    found = evaluate(lambda name: mixed(name, skill, seed), VAL, test, CONFIG, workers=1)
    return recorded(
        records,
        found,
        made_run(method, "mixed", seed, {"method": method, "skill": skill, "seed": seed}),
        DataInfo(title="Mixed subjects", val=VAL, test=test),
        method=MethodInfo(title=method, family=family, learns_from="healthy slices"),
        references=found.references,
    )
