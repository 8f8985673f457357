"""Poisson blending of rectangles: a foreign patch without a seam (Perez, Gangnet and Blake, Poisson Image Editing, 2003)."""

from __future__ import annotations

import math

import torch

__all__ = ["poisson_blended"]


def poisson_blended(
    images: torch.Tensor,
    others: torch.Tensor,
    top: torch.Tensor,
    left: torch.Tensor,
    size: torch.Tensor,
) -> torch.Tensor:
    """Blend a rectangle of other slices into slices, with mixed gradients.

    Inside the rectangle u solves, for each pixel p and its four neighbours q, sum (u_p - u_q) = sum v_pq, where v_pq is the stronger
    of the two slices' differences; at its border u is the slice. With w = u - x the border is 0, and the five-point Laplacian of a
    rectangle is diagonal under the sine transform, so that the solution is exact and all slices are solved at once.

    Parameters
    ----------
    images, others : float32 tensor (N, C, H, W)
        x, and what is blended in.
    top, left : int64 tensor (N,)
        First row and column of each rectangle, at least 1.
    size : int64 tensor (N, 2)
        Rows and columns of each, at least 1; the rectangle ends before the last row and column.

    Returns
    -------
    float32 tensor (N, C, H, W)
        Equal to ``images`` outside the rectangles.

    Raises
    ------
    ValueError
        For a rectangle that touches the edge of the slices.
    """
    height, width = images.shape[-2:]
    ends = torch.stack([top + size[:, 0], left + size[:, 1]])
    if bool((torch.minimum(top, left) < 1).any()) or bool(
        (ends[0] >= height).any() | (ends[1] >= width).any()
    ):
        raise ValueError("a rectangle that is blended needs a border of one pixel around it")
    guidance = _extra_divergence(images, others)
    rows, row_values = _sines(top, size[:, 0], height)
    columns, column_values = _sines(left, size[:, 1], width)
    inside = rows.mT[:, None] @ guidance @ columns[:, None]
    inside = inside / (row_values[:, None, :, None] + column_values[:, None, None, :])
    return images + (rows[:, None] @ inside @ columns.mT[:, None]).float()


def _extra_divergence(images: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return sum over the neighbours of v_pq - (x_p - x_q), float64 (N, C, H, W); edges of the slices count as no neighbour."""
    x, y = images.double(), others.double()
    out = torch.zeros_like(x)
    for axis in (2, 3):
        step_x, step_y = x.diff(dim=axis), y.diff(dim=axis)
        extra = torch.where(step_y.abs() > step_x.abs(), step_y - step_x, 0.0)
        first = [slice(None)] * 4
        second = [slice(None)] * 4
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        out[tuple(second)] += extra  # p - q with q the pixel before
        out[tuple(first)] -= extra
    return out


def _sines(
    start: torch.Tensor, count: torch.Tensor, edge: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return an orthonormal sine basis of each range of pixels, (N, edge, edge), and the eigenvalues of its second difference.

    Column k of a basis is the k-th sine over pixels ``start`` .. ``start + count - 1`` and 0 elsewhere; columns from ``count`` on are
    0, with an eigenvalue of 1.
    """
    pixel = torch.arange(edge, device=start.device)
    place = (pixel - start[:, None] + 1).double()
    number = (pixel + 1).double()
    spans = (count + 1).double()[:, None]
    basis = (
        torch.sin(math.pi * place[:, :, None] * number / spans[:, :, None])
        * (2 / spans[:, :, None]).sqrt()
    )
    here = (place >= 1) & (place <= count[:, None])
    used = pixel < count[:, None]
    basis = basis * (here[:, :, None] & used[:, None, :])
    values = 2 - 2 * torch.cos(math.pi * number / spans)
    return basis, torch.where(used, values, 1.0)
