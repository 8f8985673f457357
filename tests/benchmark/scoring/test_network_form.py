"""In which form a network is run: what the machine cannot do is said before any work, what it did is written down."""

import contextlib

import pytest
import torch
from support.small_volumes import CPU, MODALITIES, detector_of

from andi_bench.config import ScoringConfig
from andi_bench.errors import UserError
from benchmark.scoring import network_form
from benchmark.scoring.network_form import (
    arithmetic,
    precision_on,
    require_compiler,
    shape_network,
)
from methods.base import ImageSpec
from methods.catalogue import build_detector, detector_class


def with_network():
    values = {"base_width": 8, "levels": 2, "latent": 8}
    return build_detector(detector_class("vae"), values, ImageSpec(MODALITIES, (16, 16)), 0, CPU)


def test_a_cpu_computes_in_float32_unless_bf16_is_asked_for_and_it_has_it(monkeypatch):
    assert precision_on("auto", CPU) == precision_on("float32", CPU) == "float32"
    monkeypatch.setattr(network_form, "_cpu_has_bf16", lambda: True)
    assert precision_on("auto", CPU) == "float32"
    assert precision_on("bf16", CPU) == "bf16"
    monkeypatch.setattr(network_form, "_cpu_has_bf16", lambda: False)
    with pytest.raises(UserError, match=r"scoring.precision = bf16: the CPU has no .* wanted"):
        precision_on("bf16", CPU)


@pytest.mark.parametrize(("has", "means"), [(True, "bf16"), (False, "float32")])
def test_auto_is_bf16_on_a_gpu_that_has_it(monkeypatch, has, means):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has)
    assert precision_on("auto", torch.device("cuda")) == means


def test_in_bf16_the_network_rounds_and_what_it_returns_is_float32(monkeypatch):
    monkeypatch.setattr(network_form, "_cpu_has_bf16", lambda: True)
    detector, batch = with_network(), torch.rand(3, 2, 16, 16)
    detector.net.eval()
    with torch.inference_mode():
        exact = detector.net(batch)
        shape_network(detector, ScoringConfig(precision="bf16"), CPU)
        rounded = detector.net(batch)
    assert [part.dtype for part in rounded] == [torch.float32] * 3
    difference = (rounded[0] - exact[0]).abs().max() / exact[0].abs().max()
    assert 1e-5 < difference < 0.05


def test_float32_leaves_the_network_as_it_is():
    detector = with_network()
    forward = detector.net.forward
    shape_network(detector, ScoringConfig(), CPU)
    assert detector.net.forward == forward
    shape_network(detector_of(), ScoringConfig(), CPU)  # without a network


def test_a_machine_without_a_compiler_is_told_before_any_work(monkeypatch):
    def none():
        raise RuntimeError("no compiler\nat all")

    monkeypatch.setattr("benchmark.scoring.network_form._find_compiler", none)
    with pytest.raises(UserError, match=r"scoring.compile = true: .*C\+\+ compiler") as caught:
        require_compiler("scoring.compile", CPU)
    assert "\n" not in str(caught.value)


def test_graphs_are_for_a_gpu_and_that_is_said_before_any_work():
    with pytest.raises(
        UserError, match=r"scoring.compile = reduce-overhead: .* CPU: 'true'"
    ) as caught:
        require_compiler("scoring.compile", CPU, "reduce-overhead")
    assert "\n" not in str(caught.value)


def test_what_a_captured_graph_returns_is_kept_when_it_is_called_again(monkeypatch):
    detector, batch = with_network(), torch.rand(3, 2, 16, 16)
    detector.net.eval()
    with torch.inference_mode():
        plain, kept = detector.net(batch), detector.net.forward(torch.zeros_like(batch))

    def captured(network, mode=None):  # a graph writes to one place
        def call(inputs):
            for place, found in zip(kept, network.forward(inputs), strict=True):
                place.copy_(found)
            return kept

        assert mode == "reduce-overhead"
        network._compiled_call_impl = call

    monkeypatch.setattr(torch.nn.Module, "compile", captured)
    with torch.inference_mode():
        shape_network(detector, ScoringConfig(compile="reduce-overhead"), CPU)
        found = detector.net(batch)
        detector.net(torch.zeros_like(batch))
    assert all(torch.equal(one, other) for one, other in zip(found, plain, strict=True))


@pytest.mark.slow
def test_a_compiled_network_computes_the_same():
    require_compiler("scoring.compile", CPU)
    detector, batch = with_network(), torch.rand(3, 2, 16, 16)
    detector.net.eval()
    with torch.inference_mode():
        plain = detector.net(batch)[0]
        shape_network(detector, ScoringConfig(compile=True), CPU)
        torch.testing.assert_close(detector.net(batch)[0], plain, rtol=0, atol=1e-5)
    assert set(detector.net.state_dict()) == set(with_network().net.state_dict())


def test_what_was_computed_in_is_said_in_words(monkeypatch):
    plain = ScoringConfig()
    assert arithmetic(with_network(), plain, CPU) == "float32"
    assert arithmetic(with_network(), ScoringConfig(compile=True), CPU) == "float32, compiled"
    graphs = ScoringConfig(compile="reduce-overhead")
    assert arithmetic(with_network(), graphs, CPU) == "float32, compiled, CUDA graphs"
    assert arithmetic(detector_of(), plain, CPU) == ""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    said = arithmetic(with_network(), plain, torch.device("cuda"))
    assert said == "bf16, TF32 on for convolutions, off for matrices"


@pytest.mark.parametrize(
    ("triton", "compiler", "named", "wanted"),
    [
        (False, "gcc", None, "needs Triton"),
        (True, None, None, "no C compiler"),
        (True, "gcc", None, None),
        (True, "clang", None, None),
        (True, "gcc", "icx", "CC='icx'"),  # what CC names is taken, and nothing else
        (True, "icx", "icx", None),
    ],
)
def test_for_a_gpu_triton_and_its_compiler_are_looked_for_before_any_work(
    triton, compiler, named, wanted, monkeypatch, tmp_path
):
    monkeypatch.setattr("torch.utils._triton.has_triton", lambda: triton)
    monkeypatch.delenv("CC", raising=False)
    if named:
        monkeypatch.setenv("CC", named)
    monkeypatch.setenv("PATH", str(tmp_path))
    if compiler:
        (tmp_path / compiler).write_text("#!/bin/sh\n")
        (tmp_path / compiler).chmod(0o755)
    refused = pytest.raises(UserError, match=f"scoring.compile = true: .*{wanted}")
    with refused if wanted else contextlib.nullcontext():
        require_compiler("scoring.compile", torch.device("cuda"))
