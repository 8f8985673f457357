"""How different two images look, pixel by pixel: the component that AutoDDPM's mask is made with."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import nn

from andi_bench.errors import UserError

PerceptualName = Literal["ms-ssim", "lpips"]

_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, from the finest, Wang et al. 2003."""
_WINDOW = 11
_SIGMA = 1.5
_RANGE = 2.0
"""Of images on [-1, 1] scale."""


class PerceptualDistance(Protocol):
    """A distance of images (N, C, H, W) on [-1, 1] scale: float32 (N, C, H, W), >= 0, each modality on its own."""

    def __call__(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Return the distance at each pixel."""


def perceptual_distance(name: PerceptualName, published_scale: bool = False) -> PerceptualDistance:
    """Return the distance of a name; for ``published_scale`` see :class:`LPIPS`.

    Raises
    ------
    UserError
        When a package or weights that it needs cannot be had.
    """
    return structural_dissimilarity if name == "ms-ssim" else LPIPS(published_scale)


def structural_dissimilarity(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Multi-scale structural dissimilarity as a map, in [0, 1]; 0 where the images are equal.

    One minus the product over scales of contrast-and-structure similarities, and of the luminance similarity at the
    coarsest one, each with its exponent (Wang, Simoncelli and Bovik 2003, eq. 7; windows of 11 pixels, Gaussian of
    standard deviation 1.5). The maps of coarser scales are enlarged bilinearly. Similarities below 0 count as 0. As many
    of the five scales are used as keep an edge of 11 pixels; their exponents are scaled to sum to 1.

    Parameters
    ----------
    first, second : float tensor (N, C, H, W)
        On [-1, 1] scale, at least 11 pixels wide and high.
    """
    shape = first.shape
    size = (int(shape[-2]), int(shape[-1]))
    scales = 1
    while scales < len(_SCALE_WEIGHTS) and min(size) // 2**scales >= _WINDOW:
        scales += 1
    weights = [weight / sum(_SCALE_WEIGHTS[:scales]) for weight in _SCALE_WEIGHTS[:scales]]
    x = first.float().reshape(-1, 1, *size)
    y = second.float().reshape(-1, 1, *size)
    similarity = torch.ones_like(x)
    for scale, weight in enumerate(weights):
        if scale:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        luminance, structure = _similarities(x, y)
        found = structure * luminance if scale == scales - 1 else structure
        enlarged = F.interpolate(found, size, mode="bilinear", align_corners=False)
        similarity = similarity * enlarged.clamp(min=0) ** weight
    return (1 - similarity).clamp(0, 1).reshape(shape)


def _similarities(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return luminance and contrast-and-structure similarity at each pixel, for images (M, 1, H, W)."""
    c1, c2 = (0.01 * _RANGE) ** 2, (0.03 * _RANGE) ** 2
    parts = _smooth(torch.cat([x, y, x * x, y * y, x * y]))
    mean_x, mean_y, square_x, square_y, mixed = parts.chunk(5)
    product = mean_x * mean_y
    squares = mean_x**2 + mean_y**2
    # Rounding can leave a variance below 0, which would turn the quotient.
    variances = (square_x - mean_x**2).clamp(min=0) + (square_y - mean_y**2).clamp(min=0)
    luminance = (2 * product + c1) / (squares + c1)
    return luminance, (2 * (mixed - product) + c2) / (variances + c2)


def _smooth(images: torch.Tensor) -> torch.Tensor:
    """Average by a Gaussian window, reflected at the border, for images (M, 1, H, W)."""
    offset = torch.arange(_WINDOW, device=images.device) - _WINDOW // 2
    window = torch.exp(-(offset**2) / (2 * _SIGMA**2))
    window = (window / window.sum())[None, None, :]
    padded = F.pad(images, (_WINDOW // 2,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, window[:, :, None]), window[..., None])


class LPIPS:
    """Learned perceptual image patch similarity (Zhang et al. 2018), SqueezeNet, as a map; each modality as a grey image.

    Parameters
    ----------
    published_scale : bool
        Tell the package that images are on [0, 1] scale, which it then brings to [-1, 1], though they are there already: so
        AutoDDPM's published code does.

    Raises
    ------
    UserError
        When the package ``lpips`` is not installed, or its weights cannot be had.
    """

    def __init__(self, published_scale: bool = False) -> None:
        self._published_scale = published_scale
        self._net: nn.Module | None = None
        try:
            import lpips  # noqa: F401
        except ImportError as error:
            raise UserError(
                "detector.perceptual = lpips: the package is not there "
                "(pip install 'andi-bench[lpips]'); ms-ssim needs none"
            ) from error

    def _loaded(self, device: torch.device) -> nn.Module:
        import lpips

        if self._net is None:
            try:
                net: Any = lpips.LPIPS(net="squeeze", spatial=True, verbose=False)
            except Exception as error:
                raise UserError(
                    "detector.perceptual = lpips: the weights of SqueezeNet cannot be had "
                    f"({' '.join(str(error).split())[:120]}); ms-ssim needs none"
                ) from error
            self._net = net.eval().requires_grad_(False)
        return self._net.to(device)

    def __call__(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Return the distance at each pixel of images (N, C, H, W) on [-1, 1] scale, float32 (N, C, H, W)."""
        shape = first.shape
        pair = [
            image.float().reshape(-1, 1, *shape[-2:]).expand(-1, 3, -1, -1)
            for image in (first, second)
        ]
        net = self._loaded(first.device)
        distance: torch.Tensor = net(*pair, normalize=self._published_scale)
        return distance.reshape(shape)
