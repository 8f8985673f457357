"""Losses are read from an accelerator seldom, and none is lost."""

from types import SimpleNamespace

import pytest
import torch

from andi_bench.errors import UserError
from benchmark.training.loss_log import LossLog


class Accelerator:
    """The face of an accelerator of one process; counts how often somebody waits for it."""

    def __init__(self, kind: str):
        self.device, self.reads, self.logged = SimpleNamespace(type=kind), 0, []

    def reduce(self, values, how):
        assert how == "mean"
        self.reads += 1
        return values

    def log(self, values, step):
        self.logged.append((step, values["loss"]))


def run(kind: str, steps: int, *, every: int = 10, stop: bool = False, losses=None):
    accelerator, curve = Accelerator(kind), []
    log = LossLog(accelerator, every, curve, "tracker")
    for step in range(1, steps + 1):
        loss = torch.tensor(float(step) if losses is None else losses[step - 1])
        end = step == steps
        log.add(loss, [step, step / 4, 0.1, 1.0], last=end and not stop, stop=end and stop)
    return curve, accelerator, log


def test_an_accelerator_is_waited_for_every_fifty_steps_and_leaves_the_same_curve():
    curve, accelerator, log = run("cuda", 103)
    plain, processor, _ = run("cpu", 103)
    assert curve == plain
    assert accelerator.reads == 3
    assert processor.reads == 11
    assert [row[:3] for row in curve[:2]] == [[10, 2.5, 5.5], [20, 5.0, 15.5]]
    assert curve[-1][:3] == [103, 103 / 4, 102.0]
    assert accelerator.logged == processor.logged
    assert log.read
    assert log.note == "loss 102.0000"


def test_an_interval_that_was_stopped_is_begun_anew():
    curve, _, log = run("cuda", 27, stop=True)
    assert [row[0] for row in curve] == [10, 20]
    assert not log.read


def test_the_step_of_a_loss_that_is_not_finite_is_named():
    with pytest.raises(UserError, match="not finite at step 20"):
        run("cuda", 50, losses=[1.0] * 14 + [float("nan")] + [1.0] * 35)
