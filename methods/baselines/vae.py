"""Variational autoencoder, with restoration as an option.

Baur et al., Autoencoders for Unsupervised Anomaly Segmentation in Brain MR Images: A Comparative Study, Medical Image
Analysis 69, 2021 (arXiv 2004.03271); restoration: Chen et al., Unsupervised lesion detection via image restoration with
a normative prior, Medical Image Analysis 64, 2020 (arXiv 2005.00031).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from andi_bench.randomness import SliceGenerator
from methods.base import Field, register, scoring_field
from methods.baselines.ae import AEConfig, AutoencoderDetector
from methods.hyper_parameters import later_scoring_field
from methods.networks.autoencoder import VariationalAutoencoder, kl_divergence

__all__ = ["VAE", "VAEConfig"]


class VAEConfig(AEConfig):
    """Hyper-parameters of the variational autoencoder; the defaults of the training are the published ones."""

    kl_weight: float = Field(
        1.0, ge=0, description="of the KL divergence in the loss; 1: the evidence lower bound"
    )
    restoration: bool = scoring_field(
        False, description="map of the slice's distance to its restoration, not its reconstruction"
    )
    restoration_steps: int = scoring_field(
        100,
        ge=1,
        le=10_000,
        description="gradient steps; each is one network call and its gradient",
    )
    restoration_rate: float = scoring_field(
        5e-3, gt=0, description="length of a gradient step, in image units per unit of the gradient"
    )
    restoration_weight: float = scoring_field(
        2.0,
        ge=0,
        description="of the negative evidence lower bound beside |x_res - x|; with distance l1 both pull at a pixel "
        "with strength 1, so that below 1 little is restored",
    )
    restoration_smoothing: float = later_scoring_field(
        0.0,
        ge=0,
        description="s of sqrt(d^2 + s^2) - s, which stands for every |d| while a slice is restored, in image units; "
        "0, as published: |d|, where every step is as long as the first",
    )

    def revision(self) -> dict[str, Any]:
        """Return what tells restored maps from those of before, which were computed in float32."""
        return {"restoration": "float64"} if self.restoration else {}


@register("vae")
class VAE(AutoencoderDetector):
    """Reconstruct healthy slices through a Gaussian posterior; the map is |x - x_hat|.

    Loss: the negative evidence lower bound, -ELBO(x) = d(x, x_hat) + kl_weight KL(q(z|x) || N(0, 1)), divided by the
    number of values of a slice; d is the sum over modalities and pixels of |x - x_hat| (a Laplace likelihood of scale 1,
    up to a constant) or of its square (a Gaussian one of variance 1/2). z is sampled in training; a slice is scored
    from the posterior's mean, so that its map is no matter of chance.

    With ``restoration``, the map is |x - x_res|, x_res from :meth:`restore`.
    """

    Config = VAEConfig
    recipe = 1
    draws = ("training",)
    signed = True

    def label(self) -> str:
        """Return the method's name, with the restoration where it is on."""
        return f"{self.name} (restoration)" if self.config.restoration else self.name

    def network(self) -> nn.Module:
        """Build the variational autoencoder; its memory format is the faster one for convolutions."""
        net = VariationalAutoencoder(self.shape())
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Negative evidence lower bound per value, for slices (N, C, H, W) of about [0, 1]."""
        noise = generator.normal(self.config.latent)
        return self.negative_elbo(batch, noise).sum() / batch.numel()

    def negative_elbo(self, image: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Return -ELBO of slices (N, C, H, W), float32 (N,), nats.

        Parameters
        ----------
        image : tensor (N, C, H, W)
            About [0, 1].
        noise : tensor (N, latent) or None
            Sample of the latent; None: its mean is decoded.
        """
        reconstruction, mean, log_variance = self.net(image, noise)
        divergence = kl_divergence(mean, log_variance)
        return self.distance(image, reconstruction) + self.config.kl_weight * divergence

    def restoration_objective(
        self, restored: torch.Tensor, image: torch.Tensor, weights: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """Return |x_res - x| + restoration_weight (-ELBO(x_res)), (N,), what :meth:`restore` lowers.

        Computed in the precision of the slices and of ``weights`` (:meth:`weights_in`).
        """
        c = self.config
        reconstruction, mean, log_variance = functional_call(self.net, weights, (restored, None))
        error = reconstruction - restored
        error = self._smoothed(error) if c.distance == "l1" else error.square()
        divergence = c.kl_weight * kl_divergence(mean, log_variance)
        moved = self._smoothed(restored - image).flatten(1).sum(dim=1)
        return moved + c.restoration_weight * (error.flatten(1).sum(dim=1) + divergence)

    def weights_in(self, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Return the network's parameters and buffers by name, in a precision of floating-point numbers."""
        tensors = (*self.net.named_parameters(), *self.net.named_buffers())
        return {k: w.detach().to(dtype) for k, w in tensors if w.is_floating_point()}

    def _smoothed(self, difference: torch.Tensor) -> torch.Tensor:
        """Return |d|, or what stands for it while a slice is restored: its slope goes through 0 without a jump."""
        s = self.config.restoration_smoothing
        # At s = 0 by the absolute value: the root's slope has no value at 0.
        return (difference.square() + s * s).sqrt() - s if s else difference.abs()

    def restore(self, image: torch.Tensor) -> torch.Tensor:
        """Return the most probable healthy slices near given ones, float32 (N, C, H, W), by gradient descent on the image.

        Starts at the slice and lowers :meth:`restoration_objective` (Chen et al. 2020; their total variation of the
        change is its absolute value here), the latent's mean decoded in place of a sample.

        In float64: each step enlarges a difference by about half, and after 25 rounding in float32 has become a tenth of the
        largest score in single voxels, so that a map would depend on how many slices are restored at once.
        """
        c = self.config
        # Scoring runs in inference mode, whose tensors take no part in gradients: leave it, and copy.
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(image.device.type, enabled=False),
        ):
            start = image.clone().double()
            restored, weights = start.clone(), self.weights_in(start.dtype)
            for _ in range(c.restoration_steps):
                restored.requires_grad_()
                objective = self.restoration_objective(restored, start, weights).sum()
                (gradient,) = torch.autograd.grad(objective, restored)
                restored = restored.detach() - c.restoration_rate * gradient
        return restored.float()

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return x - x_hat, or x - x_res, float32 (N, C, H, W), for slices of about [0, 1]."""
        return batch - self.reconstruct_slices(batch, generator)

    def reconstruct_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return x_hat, or x_res, float32 (N, C, H, W)."""
        if self.config.restoration:
            return self.restore(batch)
        reconstruction: torch.Tensor = self.net(batch)[0].float()
        return reconstruction
