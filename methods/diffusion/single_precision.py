"""The diffusion process in float32 throughout, as the code of the ANDi publication computes it.

Which of its numbers round to the same value hangs on the order of the operations; nothing else does.
"""

from __future__ import annotations

from functools import lru_cache

import torch


class SinglePrecision:
    """Coefficients of the linear schedule as tables of float32, and the two formulas that ANDi's deviations are made of.

    Parameters
    ----------
    steps : int
        T.
    beta_start, beta_end : float
        Noise variance of the first and the last step.

    References
    ----------
    Frotscher et al., arXiv 2312.01904, and the code that accompanies it.
    """

    def __init__(self, steps: int, beta_start: float, beta_end: float) -> None:
        alpha = 1.0 - torch.linspace(beta_start, beta_end, steps)
        alpha_bar = torch.cumprod(alpha, dim=0)
        # Taken out of the tables as Python floats, which hold float32 numbers exactly.
        self._signal = torch.sqrt(alpha_bar).tolist()
        self._sigma = torch.sqrt(1 - alpha_bar).tolist()
        self._weight = ((1 - alpha) / torch.sqrt(1 - alpha_bar)).tolist()
        self._scale = (1 / torch.sqrt(alpha)).tolist()

    def q_sample(self, image: torch.Tensor, t: int, noise: torch.Tensor) -> torch.Tensor:
        """Noise images, all float32 (N, C, H, W): sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps."""
        return self._signal[t] * image + self._sigma[t] * noise

    def mean(self, x_t: torch.Tensor, t: int, noise: torch.Tensor) -> torch.Tensor:
        """Mean of x_{t-1}, all float32 (N, C, H, W): 1 / sqrt(alpha_t) (x_t - (1 - alpha_t) / sqrt(1 - alpha_bar_t) eps)."""
        return self._scale[t] * (x_t - self._weight[t] * noise)


@lru_cache(maxsize=8)
def single_precision(steps: int, beta_start: float, beta_end: float) -> SinglePrecision:
    """Return the process of these parameters; its tables are computed once."""
    return SinglePrecision(steps, beta_start, beta_end)
