"""The Gaussian diffusion process in steps (Ho et al., Denoising Diffusion Probabilistic Models, 2020), linear or cosine."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray


class Schedule:
    """Coefficients of q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t), computed in float64.

    Time runs from 0 to ``steps`` - 1. As in the published code, t = 0 is one step of noise, not the image, and
    is neither trained nor scored; alpha_bar before t = 0 is 1.

    Parameters
    ----------
    beta : float64 (T,)
        Noise variance added at each time step, in (0, 1); see :func:`linear_schedule` and :func:`cosine_schedule`.

    Attributes
    ----------
    beta, alpha, alpha_bar, alpha_bar_before : float64 (T,)
        beta_t, 1 - beta_t, the product of alpha up to t, the product up to t - 1.
    posterior_variance : float64 (T,)
        Variance of q(x_{t-1} | x_t, x_0), Ho et al. eq. 7; 0 at t = 0.
    deviation_weight : float64 (T,)
        c_t = beta_t^2 / (alpha_t (1 - alpha_bar_t)); see :meth:`mean`.
    """

    def __init__(self, beta: NDArray[np.float64]) -> None:
        self.steps = len(beta)
        self.beta: NDArray[np.float64] = beta
        self.alpha: NDArray[np.float64] = 1.0 - self.beta
        self.alpha_bar: NDArray[np.float64] = np.cumprod(self.alpha, dtype=np.float64)
        self.alpha_bar_before: NDArray[np.float64] = np.append(1.0, self.alpha_bar[:-1])
        self.posterior_variance: NDArray[np.float64] = (
            self.beta * (1 - self.alpha_bar_before) / (1 - self.alpha_bar)
        )
        self.deviation_weight: NDArray[np.float64] = self.beta**2 / (
            self.alpha * (1 - self.alpha_bar)
        )
        self._signal = np.sqrt(self.alpha_bar)
        self._noise = np.sqrt(1 - self.alpha_bar)

    def q_sample(
        self, image: torch.Tensor, t: int | torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        """Noise an image: x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps.

        Parameters
        ----------
        image, noise : float tensor (N, C, H, W)
            x_0 on [-1, 1] scale, and eps.
        t : int, or integer tensor (N,)
            Time step, of all slices or of each.
        """
        signal, sigma = _at(self._signal, t, image), _at(self._noise, t, image)
        return signal * image + sigma * noise

    def predict_image(
        self, x_t: torch.Tensor, t: int | torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        """Solve :meth:`q_sample` for x_0, given x_t and eps (or its prediction); not clamped."""
        signal, sigma = _at(self._signal, t, x_t), _at(self._noise, t, x_t)
        return (x_t - sigma * noise) / signal

    def mean(self, x_t: torch.Tensor, t: int | torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Mean of x_{t-1} given x_t and eps: (x_t - beta_t / sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_t).

        The square of the difference between two such means, for eps and eps', is
        ``deviation_weight[t] * (eps - eps')**2``: x_t cancels.
        """
        weight = _at(self.beta / self._noise, t, x_t)
        return (x_t - weight * noise) / _at(np.sqrt(self.alpha), t, x_t)

    def posterior(
        self, image: torch.Tensor, x_t: torch.Tensor, t: int, before: int
    ) -> tuple[torch.Tensor, float]:
        """Mean and standard deviation of q(x_before | x_t, x_0), Ho et al. eq. 7 for any two time steps.

        For ``before`` = t - 1 and the eps that made x_t the mean equals :meth:`mean`, and the variance is
        ``posterior_variance[t]``.

        Parameters
        ----------
        image, x_t : float tensor (N, C, H, W)
            x_0, or its prediction, and x_t.
        t, before : int
            Time steps, ``before`` < t; -1 stands for the image itself.
        """
        alpha_bar, earlier = self.alpha_bar[t], self.alpha_bar[before] if before >= 0 else 1.0
        alpha = alpha_bar / earlier
        left = (1 - earlier) / (1 - alpha_bar)
        of_image = np.sqrt(earlier) * (1 - alpha) / (1 - alpha_bar)
        mean = float(of_image) * image + float(np.sqrt(alpha) * left) * x_t
        return mean, float(np.sqrt((1 - alpha) * left))

    def diffuse(self, x_t: torch.Tensor, t: int, after: int, noise: torch.Tensor) -> torch.Tensor:
        """Noise x_t on to x_after, ``after`` > t: the chain forward, RePaint's resampling (Lugmayr et al. 2022)."""
        alpha = self.alpha_bar[after] / self.alpha_bar[t]
        return float(np.sqrt(alpha)) * x_t + float(np.sqrt(1 - alpha)) * noise


@lru_cache(maxsize=8)
def linear_schedule(
    steps: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02
) -> Schedule:
    """Return the schedule whose noise variance grows linearly from ``beta_start`` at t = 0 to ``beta_end`` at t = T - 1.

    Computed once for each set of parameters.
    """
    return Schedule(np.linspace(beta_start, beta_end, steps, dtype=np.float64))


@lru_cache(maxsize=8)
def cosine_schedule(steps: int = 1000, offset: float = 0.008) -> Schedule:
    """Return the cosine schedule of Nichol and Dhariwal (2021, eq. 17); computed once for each set of parameters.

    alpha_bar at step k of T is f(k / T) / f(0), f(u) = cos^2(pi / 2 (u + s) / (1 + s)); a step's variance is 0.999 at most.

    Parameters
    ----------
    steps : int
        T.
    offset : float
        s.
    """
    u = np.arange(steps + 1, dtype=np.float64) / steps
    f = np.cos((u + offset) / (1 + offset) * np.pi / 2) ** 2
    return Schedule(np.minimum(1 - f[1:] / f[:-1], 0.999))


def _at(
    values: NDArray[np.float64], t: int | torch.Tensor, like: torch.Tensor
) -> float | torch.Tensor:
    """Take the coefficient of each slice's time step, shaped to multiply images."""
    if isinstance(t, int):
        return float(values[t])
    table = torch.from_numpy(values).to(device=like.device, dtype=torch.float32)
    return table[t].view(-1, *(1,) * (like.ndim - 1))
