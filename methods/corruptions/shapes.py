"""Soft shapes of synthetic anomalies: rectangles, discs and organic blobs."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from andi_bench.randomness import SliceGenerator
from methods.corruptions.window import blurred, place, window_centres

__all__ = ["WINDOW", "soft_shapes"]

WINDOW = 64
"""Edge of the published window in pixels: lengths below are in pixels of such a window, and are scaled with it."""
SMALLEST, LARGEST = 10, 44
"""Sides of a rectangle, diameter of a disc or blob."""
TURN = 15.0
"""Degrees by which half of the rectangles are turned at most."""
BLUR = 5.0
"""Largest standard deviation of the blur that softens most edges."""
BLURRED_SHARE = 0.7
NODES = 5
"""Nodes of the smooth noise, along each axis, that makes a blob's outline uneven."""


def soft_shapes(
    generator: SliceGenerator, brain: torch.Tensor, edge: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one shape for each slice: a rectangle, a disc or a blob with equal odds, most with a soft edge.

    Sides and diameters are uniform between 10/64 and 44/64 of the window's edge; half of the rectangles are turned by up to 15
    degrees; with a probability of 0.7 the shape is blurred by a Gaussian of up to 5/64 of the edge. The publication takes blobs
    from masks in three dimensions; here a blob is a disc whose outline is moved by smooth noise.

    Parameters
    ----------
    generator : SliceGenerator
        One stream per slice.
    brain : bool tensor (N, 1, H, W)
        Where tissue is.
    edge : int
        Of the window in which a shape lies, pixels.

    Returns
    -------
    shapes : float32 tensor (N, 1, H, W)
        In [0, 1]; 0 outside the brain and the window.
    centres : int64 tensor (N, 2)
        Row and column of the window's centre.

    References
    ----------
    Naval Marimont et al., DISYRE: Diffusion-Inspired SYnthetic REstoration for Unsupervised Anomaly Detection, arXiv 2311.15453.
    """
    centres = window_centres(generator.fork("window"), brain, edge)
    unit = edge / WINDOW
    draws = generator.fork("shape").uniform(7)
    kind = (draws[:, 0] * 3).long()
    sides = unit * (SMALLEST + (LARGEST - SMALLEST) * draws[:, 1:3])
    angle = math.radians(TURN) * (2 * draws[:, 3] - 1) * (draws[:, 4] < 0.5)
    places = torch.arange(edge, device=brain.device) - edge // 2
    y, x = places[None, :, None].float(), places[None, None, :].float()
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    along, across = (cos * x + sin * y).abs(), (cos * y - sin * x).abs()
    half = sides[:, :, None, None] / 2
    rectangle = (along <= half[:, 0]) & (across <= half[:, 1])
    distance = (x.square() + y.square()) / half[:, 0].square()
    outline = F.interpolate(
        generator.fork("outline").normal(1, NODES, NODES),
        (edge, edge),
        mode="bicubic",
        align_corners=True,
    )[:, 0]
    # The noise moves the outline by a half of the radius and more, but never takes the centre away.
    blob = distance <= (1 + 0.5 * outline).clamp(min=0.2)
    disc = distance <= 1
    which = kind[:, None, None]
    shape = torch.where(which == 0, rectangle, torch.where(which == 1, disc, blob))
    soft = unit * BLUR * draws[:, 5] * (draws[:, 6] < BLURRED_SHARE)
    window = blurred(shape.float(), soft).clamp_(0, 1)
    return place(window, centres, (brain.shape[-2], brain.shape[-1])) * brain, centres
