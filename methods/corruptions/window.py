"""Windows inside a slice: where a synthetic anomaly is put, and how what was made in a window comes to the slice's grid."""

from __future__ import annotations

import torch

from andi_bench.randomness import SliceGenerator

__all__ = ["blurred", "place", "window_centres"]


def window_centres(generator: SliceGenerator, brain: torch.Tensor, edge: int) -> torch.Tensor:
    """Draw the centre of a window of each slice: a pixel of the brain, uniformly among those whose window lies in the slice.

    Parameters
    ----------
    generator : SliceGenerator
        One stream per slice.
    brain : bool tensor (N, 1, H, W)
        Where tissue is.
    edge : int
        Of the window, pixels.

    Returns
    -------
    int64 tensor (N, 2)
        Row and column. Where no pixel of the brain leaves its window inside, any pixel of the brain; without brain, the middle.
    """
    height, width = brain.shape[-2:]
    half = edge // 2
    inside = torch.zeros_like(brain)
    inside[..., half : height - (edge - half) + 1, half : width - (edge - half) + 1] = True
    inside &= brain
    fits = inside.flatten(1).any(dim=1)[:, None, None, None]
    allowed = torch.where(fits, inside, brain).flatten(1)
    count = allowed.sum(dim=1, keepdim=True)
    drawn = torch.minimum((generator.uniform(1).double() * count).long(), count - 1)
    position = (allowed.cumsum(dim=1) > drawn).int().argmax(dim=1)
    middle = (height // 2) * width + width // 2
    position = torch.where(count[:, 0] > 0, position, middle)
    return torch.stack([position // width, position % width], dim=1)


def place(window: torch.Tensor, centres: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Put windows (N, E, E) into slices: (N, 1, H, W), 0 outside of them.

    Parameters
    ----------
    window : tensor (N, E, E)
        What was made.
    centres : int64 tensor (N, 2)
        Row and column at which pixel (E // 2, E // 2) of a window comes to lie.
    size : (H, W)
        Of the slices.
    """
    edge = window.shape[-1]
    rows, row_inside = _source(size[0], centres[:, 0], edge)
    columns, column_inside = _source(size[1], centres[:, 1], edge)
    first = torch.arange(len(window), device=window.device)[:, None, None]
    values = window[first, rows[:, :, None], columns[:, None, :]]
    return (values * (row_inside[:, :, None] & column_inside[:, None, :]))[:, None]


def _source(size: int, centre: torch.Tensor, edge: int) -> tuple[torch.Tensor, torch.Tensor]:
    index = torch.arange(size, device=centre.device) - centre[:, None] + edge // 2
    return index.clamp(0, edge - 1), (index >= 0) & (index < edge)


def blurred(images: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    """Blur images (N, ..., H, W) by a Gaussian of each slice's own width; beyond the edges is 0.

    Parameters
    ----------
    images : float tensor (N, ..., H, W)
        Two axes of pixels at the end.
    deviation : float tensor (N,)
        Standard deviation in pixels; 0 leaves a slice as it is.
    """
    rows, columns = (_weights(deviation, size) for size in images.shape[-2:])
    lead = (slice(None),) + (None,) * (images.ndim - 3)
    return rows[lead] @ images @ columns[lead].mT


def _weights(deviation: torch.Tensor, size: int) -> torch.Tensor:
    """Weights of a blur along one axis, (N, size, size); each kernel sums to 1 on an endless axis."""
    places = torch.arange(size, device=deviation.device, dtype=torch.float32)
    distance = places[:, None] - places
    reach = torch.arange(1 - size, size, device=deviation.device, dtype=torch.float32)
    width = deviation.float().clamp(min=1e-3)[:, None]
    total = torch.exp(-0.5 * (reach / width) ** 2).sum(dim=1)
    return torch.exp(-0.5 * (distance / width[:, :, None]) ** 2) / total[:, None, None]
