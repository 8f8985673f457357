"""Device, precision, tracker: what is not there is said before any work."""

import pytest
import torch

from andi_bench.errors import UserError
from benchmark.run.accelerator import check_device, default_preset, make_accelerator


@pytest.fixture
def no_accelerator(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("device", "precision", "tracker", "message"),
    [
        ("cuda", "auto", None, "--device cuda: no CUDA device is visible"),
        ("auto", "fp16", None, "fp16: needs an accelerator; float32 or bf16 wanted"),
        ("cpu", "float32", "no_such_tracker", "--track no_such_tracker: not installed"),
    ],
)
def test_what_is_not_there_is_one_line(no_accelerator, device, precision, tracker, message):
    with pytest.raises(UserError, match=message):
        check_device(device, precision, tracker)


@pytest.mark.parametrize(
    ("precision", "mixed"), [("auto", "no"), ("float32", "no"), ("bf16", "bf16")]
)
def test_methods_that_differ_in_precision_run_one_after_the_other(tmp_path, precision, mixed):
    accelerator = make_accelerator("cpu", precision, None, tmp_path)
    assert accelerator.mixed_precision == mixed
    assert accelerator.device == torch.device("cpu")
    assert accelerator.is_main_process


def test_the_preset_follows_the_device(no_accelerator, monkeypatch):
    assert default_preset("auto") == "quick"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert default_preset("auto") == "paper"
    assert default_preset("cpu") == "quick"
