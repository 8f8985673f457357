"""Where a device's memory runs out, half as many inputs are given and the map is the same."""

import numpy as np
import pytest
import torch
from torch import nn

from andi_bench.config import ScoringConfig
from benchmark.conformance.candidate import Candidate
from benchmark.scoring import input_limit
from benchmark.scoring.engine import ScoreEngine, score_volume


class Hungry(nn.Module):
    """A network that asks for the more memory the more inputs it is given: above ``most``, for more than there is."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        if len(x) > self.most:
            if x.device.type == "cuda":
                torch.empty(2**50, dtype=torch.uint8, device=x.device)
            raise torch.OutOfMemoryError("as on a GPU")
        return torch.tanh(x)


@pytest.mark.parametrize("name", ["andi", "anoddpm"])
def test_out_of_memory_halves_the_batch_and_the_work_goes_on(
    name, device, phantom, tmp_path, monkeypatch
):
    monkeypatch.setattr(input_limit, "ON_CPU", 64)
    candidate = Candidate(name, phantom, tmp_path)
    volume, _ = phantom.volumes(candidate.run.preprocessing)
    maps = []
    for most in (5, 1000):
        detector = candidate.build()
        detector.net = Hungry(most)
        detector.to(device)
        engine = ScoreEngine(0, device, ScoringConfig(batch_size=40))
        maps.append(score_volume(detector, volume, engine).map)
        assert engine.limit.value == (5 if most == 5 else 40)
    np.testing.assert_allclose(maps[0], maps[1], rtol=0, atol=1e-5 * np.abs(maps[1]).max())
