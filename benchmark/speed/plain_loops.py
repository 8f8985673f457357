"""Scoring and training written straight down, as the publications describe them: what ours is measured against.

Every slice of the volume is scored, those without brain too; every time step's result is kept until all are there; the moving average and
the gradients' norm are followed tensor by tensor, and the loss is read at every step. Written for measurement alone: the maps are those
of the detector where the noise is, which a test checks.

References
----------
Frotscher et al., arXiv 2312.01904 (ANDi); Wyatt et al., CVPR Workshops 2022 (AnoDDPM); Ho et al. 2020, algorithms 1 and 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from andi_bench.config import TrainingConfig
from andi_bench.randomness import SliceGenerator
from benchmark.speed.plain_network import PlainUNet
from datasets.volume import Volume
from methods.base import AnomalyDetector

SCORED = ("andi", "anoddpm")
"""Methods whose scoring is written plainly."""
TRAINED = (*SCORED, "autoddpm")
"""Methods whose training is: they share it."""
Noise = Callable[[torch.Tensor], torch.Tensor]
"""Draws eps for slices (N, C, H, W)."""


class PlainLoop:
    """A diffusion method's plain loops, with the weights and settings of a detector.

    Parameters
    ----------
    detector : AnomalyDetector
        Of :data:`TRAINED`.
    batch_size : int
        Slices scored at once.
    device : torch.device
        Where to compute; float32.

    """

    def __init__(self, detector: AnomalyDetector, batch_size: int, device: torch.device) -> None:
        self.config: Any = detector.config
        self.name, self.batch_size, self.device = detector.name, batch_size, device
        c = self.config
        self.net = PlainUNet(detector.spec.channels, c.base_width, c.attention).to(device)
        self.net.load_state_dict(detector.net.state_dict())  # type: ignore[attr-defined]
        beta = torch.linspace(c.beta_start, c.beta_end, c.diffusion_steps, dtype=torch.float64)
        self.beta = beta.to(device)
        self.alpha = 1 - self.beta
        self.alpha_bar = torch.cumprod(self.alpha, dim=0)
        self._average = {key: v.clone() for key, v in self.net.state_dict().items()}
        self._optimizer: torch.optim.Optimizer | None = None

    @property
    def scores(self) -> bool:
        """Whether there is a loop that scores, not only one that trains."""
        return self.name in SCORED

    @torch.no_grad()
    def score(
        self, volume: Volume, slices: int | None = None, noise: Noise | None = None
    ) -> torch.Tensor:
        """Return the map (Z, X, Y), or that of the first ``slices`` slices; ``noise`` draws eps, standard normal if not given."""
        loop = self._andi if self.name == "andi" else self._anoddpm
        images = torch.from_numpy(np.ascontiguousarray(volume.image.transpose(3, 0, 1, 2)))
        found = []
        for batch in images[:slices].split(self.batch_size):
            scores = loop(2 * batch.to(self.device) - 1, noise or torch.randn_like)
            found.append(scores.amax(dim=1).cpu())
        return torch.cat(found)

    def _at(self, image: torch.Tensor, t: int, eps: torch.Tensor) -> torch.Tensor:
        kept = self.alpha_bar[t].float()
        return kept.sqrt() * image + (1 - kept).sqrt() * eps

    def _predicted(self, x_t: torch.Tensor, t: int) -> torch.Tensor:
        steps = torch.full((len(x_t),), t, dtype=torch.long, device=x_t.device)
        out: torch.Tensor = self.net(x_t, steps)
        return out

    def _mean(self, x_t: torch.Tensor, t: int, eps: torch.Tensor) -> torch.Tensor:
        weight = self.beta[t] / (1 - self.alpha_bar[t]).sqrt()
        return (x_t - weight.float() * eps) / self.alpha[t].sqrt().float()

    def _andi(self, image: torch.Tensor, noise: Noise) -> torch.Tensor:
        c, deviations = self.config, []
        for t in range(c.t_high - 1, c.t_low - 1, -c.stride):
            eps = noise(image)
            x_t = self._at(image, t, eps)
            means = self._mean(x_t, t, eps), self._mean(x_t, t, self._predicted(x_t, t))
            deviations.append((means[0] - means[1]) ** 2)
        return torch.exp(torch.log(torch.stack(deviations)).mean(dim=0))

    def _anoddpm(self, image: torch.Tensor, noise: Noise) -> torch.Tensor:
        c = self.config
        t = c.noise_steps - 1
        x_t = self._at(image, t, noise(image))
        while True:
            kept = self.alpha_bar[t].float()
            restored = (x_t - (1 - kept).sqrt() * self._predicted(x_t, t)) / kept.sqrt()
            restored = restored.clamp(-1, 1)
            before = t - c.stride
            if before < 1:
                return ((image - restored) / 2).abs()
            earlier = self.alpha_bar[before].float()
            step, left = kept / earlier, (1 - earlier) / (1 - kept)
            mean = earlier.sqrt() * (1 - step) / (1 - kept) * restored + step.sqrt() * left * x_t
            x_t = mean + ((1 - step) * left).sqrt() * noise(image)
            t = before

    def step(self, images: torch.Tensor, training: TrainingConfig) -> float:
        """Take a training step on slices (N, C, H, W) of about [0, 1]; return its loss."""
        c = self.config
        if self._optimizer is None:
            self._optimizer = torch.optim.AdamW(
                self.net.parameters(),
                lr=training.learning_rate,
                weight_decay=training.weight_decay,
                foreach=False,
            )
        self.net.train()
        image = 2 * images.to(self.device) - 1
        t = torch.randint(c.training_t_low, c.training_t_high, (len(image),), device=self.device)
        eps = self._training_noise(image)
        kept = self.alpha_bar[t].float()[:, None, None, None]
        loss = F.mse_loss(self.net(kept.sqrt() * image + (1 - kept).sqrt() * eps, t), eps)
        self._optimizer.zero_grad()
        loss.backward()
        if training.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(
                self.net.parameters(), training.gradient_clip, foreach=False
            )
        self._optimizer.step()
        decay = training.ema_decay
        if decay is not None:
            for key, value in self.net.state_dict().items():
                self._average[key] = self._average[key] * decay + (1 - decay) * value
        return float(loss.detach())

    def _training_noise(self, image: torch.Tensor) -> torch.Tensor:
        name = self.config.training_noise
        if name == "gaussian":
            return torch.randn_like(image)
        if name == "pyramid":
            return pyramid(image, self.config.discount)
        from methods.diffusion.noise import (
            draw_noise,  # simplex: the published package takes seconds a slice
        )

        seeds = torch.randint(2**31, (len(image),)).tolist()
        channels, height, width = image.shape[1:]
        return draw_noise(name, SliceGenerator(seeds, image.device), (channels, height, width))


def pyramid(like: torch.Tensor, discount: float) -> torch.Tensor:
    """Draw pyramid noise for a batch octave by octave, every octave enlarged to full size."""
    noise = torch.randn_like(like)
    height, width = like.shape[-2:]
    high, wide, octave = height, width, 0
    while True:
        ratio = float(torch.rand(()) * 2 + 2) ** octave
        high, wide = max(1, int(high / ratio)), max(1, int(wide / ratio))
        layer = torch.randn(*like.shape[:2], high, wide, device=like.device)
        noise += discount**octave * F.interpolate(layer, (height, width), mode="bilinear")
        if high == 1 or wide == 1:
            return noise / noise.std()
        octave += 1
