"""All changes of a training slice in their order: shape, then intensity, then the loss of modalities."""

from __future__ import annotations

import torch

from andi_bench.randomness import SliceGenerator
from andi_bench.training_config import AugmentationConfig
from benchmark.training.augmentation import intensity
from benchmark.training.augmentation.modality_dropout import modality_dropout
from benchmark.training.augmentation.shape import affine_matrices, elastic_shifts, resample

VERSION = 1
"""Raised when the same settings and streams would change a slice otherwise: such trainings are then not found again."""

INTENSITY = {
    "gamma": intensity.gamma,
    "contrast": intensity.contrast,
    "brightness": intensity.brightness,
    "bias": intensity.bias,
    "noise": intensity.noise,
}
"""Changes of intensity by the name of their strength: those of the tissue's look, then of the coil, then of the receiver."""


@torch.no_grad()
def augment(
    images: torch.Tensor, generator: SliceGenerator, config: AugmentationConfig
) -> torch.Tensor:
    """Change slices at random.

    Every kind of change is made to a slice with ``config.probability``, drawn for each kind; affine maps are one
    kind. A slice to which none is made keeps its bytes.

    Parameters
    ----------
    images : float32 (N, C, H, W)
        Training slices; background 0, tissue above 0. They are not written to.
    generator : SliceGenerator
        Their random streams; none is advanced.
    config : AugmentationConfig
        Strengths.

    Returns
    -------
    float32 (N, C, H, W)
    """
    out = images.clone()
    _reshape(out, generator, config)
    for name, change in INTENSITY.items():
        strength = getattr(config, name)
        chosen = _chosen(generator, name, config) if strength else []
        if chosen:
            out[chosen] = change(out[chosen], generator.chosen(chosen), strength)
    if config.modality_dropout:
        out = modality_dropout(out, generator, config.modality_dropout)
    return out


def _reshape(images: torch.Tensor, generator: SliceGenerator, config: AugmentationConfig) -> None:
    """Deform slices in place, both ways at once: one interpolation blurs less than two."""
    limits = {name: getattr(config, name) for name in ("rotation", "scale", "shift", "shear")}
    turned = set(_chosen(generator, "affine", config) if any(limits.values()) else [])
    bent = set(_chosen(generator, "elastic", config) if config.elastic else [])
    chosen = sorted(turned | bent)
    if not chosen:
        return
    streams, device = generator.chosen(chosen), images.device
    matrices, shifts = torch.eye(2, 3, device=device).expand(len(chosen), 2, 3), None
    if turned:
        here = torch.tensor([place in turned for place in chosen], device=device)
        drawn = affine_matrices(streams, **limits)
        matrices = torch.where(here[:, None, None], drawn, matrices)
    if bent:
        here = torch.tensor([place in bent for place in chosen], device=device)
        height, width = images.shape[-2:]
        shifts = (
            elastic_shifts(streams, config.elastic, (height, width)) * here[:, None, None, None]
        )
    images[chosen] = resample(images[chosen], matrices, shifts)


def _chosen(generator: SliceGenerator, kind: str, config: AugmentationConfig) -> list[int]:
    """Draw to which slices of the batch a kind of change is made."""
    # On the CPU, where they are read: a GPU is not waited for.
    draws = SliceGenerator(generator.seeds).counted(f"augmentation {kind}: made")
    return torch.nonzero(draws < config.probability).flatten().tolist()
