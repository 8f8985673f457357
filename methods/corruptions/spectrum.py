"""What is left of a slice when its coarse contents are forgotten: phases everywhere, amplitudes of fine detail alone."""

from __future__ import annotations

import torch

__all__ = ["without_low_amplitudes"]


def without_low_amplitudes(images: torch.Tensor, radius: float) -> torch.Tensor:
    """Set the amplitude of low frequencies to 1, and keep their phases.

    Parameters
    ----------
    images : float tensor (N, C, H, W)
        Slices.
    radius : float
        Frequencies at less than this distance from 0 are low, periods a slice along its longer edge.

    Returns
    -------
    float32 tensor (N, C, H, W)

    References
    ----------
    Liang et al., IterMask2, MICCAI 2024 (arXiv 2406.02422).
    """
    height, width = images.shape[-2:]
    rows = torch.fft.fftfreq(height, device=images.device) * max(height, width)
    columns = torch.fft.rfftfreq(width, device=images.device) * max(height, width)
    low = rows[:, None] ** 2 + columns**2 < radius**2
    spectrum = torch.fft.rfft2(images.float())
    # A coefficient of 0 has no phase: it stays 0, where dividing by its amplitude would give no number.
    amplitude = spectrum.abs()
    phase = spectrum / amplitude.clamp(min=torch.finfo(amplitude.dtype).tiny)
    return torch.fft.irfft2(torch.where(low, phase, spectrum), s=(height, width))
