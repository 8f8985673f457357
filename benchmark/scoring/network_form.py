"""In which form a network is run: its precision, and whether it is compiled. Neither changes what it has learnt."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

import torch
from torch import nn

from andi_bench.config import ScoringConfig
from andi_bench.errors import UserError
from andi_bench.section import Compilation
from methods.base import AnomalyDetector

Precision = Literal["float32", "bf16"]


def precision_on(asked: str, device: torch.device) -> Precision:
    """Return the precision that ``scoring.precision`` means on a device.

    Raises
    ------
    UserError
        For bf16 where the processor has no instructions for it: it would be computed in float32 and rounded, several times
        slower.
    """
    if asked == "float32":
        return "float32"
    if device.type == "cuda":
        has = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        has = asked == "bf16" and _cpu_has_bf16()
    if asked == "bf16" and not has:
        raise UserError(
            f"scoring.precision = bf16: the {'GPU' if device.type == 'cuda' else 'CPU'} has no instructions for bf16 "
            "and would be many times slower; float32 or auto wanted"
        )
    return "bf16" if has else "float32"


def require_compiler(setting: str, device: torch.device, how: Compilation = True) -> None:
    """Find out before any work whether a network can be compiled.

    Parameters
    ----------
    setting : str
        What asks for it, for the message.
    device : torch.device
        Where the network will be.
    how : True or "reduce-overhead"
        What is asked for.

    Raises
    ------
    UserError
        Where torch.compile finds no C++ compiler, or for a GPU no Triton or no C compiler; for graphs where there is no GPU.
    """
    setting = f"{setting} = {str(how).lower()}"
    if how == "reduce-overhead" and device.type != "cuda":
        raise UserError(
            f"{setting}: CUDA graphs are captured on a GPU, and the network is on the CPU: 'true' or 'false' wanted"
        )
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        if not has_triton():
            raise UserError(f"{setting}: torch.compile needs Triton for a GPU: 'false' wanted")
        # Triton compiles what starts its kernels with this, when the network is first called: what CC names and no other.
        named = os.environ.get("CC")
        if not any(map(shutil.which, ("gcc", "clang") if named is None else (named,))):
            looked = "(gcc or clang)" if named is None else f"(the environment says CC='{named}')"
            raise UserError(
                f"{setting}: Triton finds no C compiler {looked} for a GPU: 'false' wanted"
            )
        return
    try:
        _find_compiler()
    except Exception as error:  # what torch raises differs by version
        raise UserError(
            f"{setting}: torch.compile finds no C++ compiler (g++ or clang++): 'false' wanted"
        ) from error


def _find_compiler() -> None:
    """Look for the C++ compiler that torch.compile would take; what is raised without one differs by version."""
    find = getattr(import_module("torch._inductor.cpp_builder"), "get_cpp_compiler", None)
    if find is None:  # torch 2.4
        find = import_module("torch._inductor.codecache").cpp_compiler
    find()


def shape_network(detector: AnomalyDetector, config: ScoringConfig, device: torch.device) -> None:
    """Have a detector's network, where it has one, run as the configuration says; it is only scored with afterwards.

    Raises
    ------
    UserError
        As :func:`precision_on`.
    """
    net = getattr(detector, "net", None)
    if not isinstance(net, nn.Module):
        return
    if precision_on(config.precision, device) == "bf16":
        net.forward = _in_bf16(net.forward, device.type)
    compile_network(net, config.compile)
    compiled = net._compiled_call_impl
    if config.compile == "reduce-overhead" and compiled is not None:
        # A graph writes its output to the same place at each call, and scoring keeps what it got.
        net._compiled_call_impl = _copied(compiled)


def compile_network(network: nn.Module, how: Compilation) -> None:
    """Have a network compiled when it is first called; its parameters keep their names."""
    if how == "reduce-overhead":
        network.compile(mode="reduce-overhead")
    elif how:
        network.compile()


def arithmetic(detector: AnomalyDetector, config: ScoringConfig, device: torch.device) -> str:
    """Return in words what a map was computed with: precision, TF32 on a GPU, whether compiled; "" without a network."""
    if not isinstance(getattr(detector, "net", None), nn.Module):
        return ""
    words: list[str] = [precision_on(config.precision, device)]
    if device.type == "cuda":
        matrices = torch.backends.cuda.matmul.allow_tf32
        convolutions = torch.backends.cudnn.allow_tf32
        words.append(
            f"TF32 {_switch(convolutions)} for convolutions, {_switch(matrices)} for matrices"
        )
    if config.compile:
        graphs = config.compile == "reduce-overhead"
        words.append("compiled, CUDA graphs" if graphs else "compiled")
    return ", ".join(words)


def _switch(on: bool) -> str:
    return "on" if on else "off"


def _cpu_has_bf16() -> bool:
    """Whether the processor multiplies in bf16 itself."""
    found = (
        getattr(torch.cpu, name, None)
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return any(has() for has in found if has is not None)


def _in_bf16(forward: Callable[..., Any], device: str) -> Callable[..., Any]:
    """Return a network's ``forward`` under autocast; what comes out is float32."""

    def run(*inputs: Any, **named: Any) -> Any:
        with torch.autocast(device, dtype=torch.bfloat16):
            out = forward(*inputs, **named)
        return each_tensor(out, lambda part: part.float() if part.is_floating_point() else part)

    return run


def _copied(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that copies what another returns."""

    def run(*inputs: Any, **named: Any) -> Any:
        return each_tensor(forward(*inputs, **named), torch.Tensor.clone)

    return run


def each_tensor(out: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Change every tensor of what a network returned: a tensor, or tuples and lists of such; all else stays."""
    if isinstance(out, torch.Tensor):
        return change(out)
    if isinstance(out, tuple | list):
        return type(out)(each_tensor(part, change) for part in out)
    return out
