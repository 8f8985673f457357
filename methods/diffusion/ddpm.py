"""What the detectors built on a denoising diffusion model share: its hyper-parameters, network and loss."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import field_validator, model_validator
from torch import nn

from andi_bench.randomness import SliceGenerator
from methods.base import DetectorConfig, Field, SliceDetector
from methods.diffusion.noise import NoiseName, draw_noise, turned
from methods.diffusion.schedule import Schedule, linear_schedule
from methods.networks.unet import UNet


class DDPMConfig(DetectorConfig):
    """Hyper-parameters of the training.

    Detectors whose training agrees in these share one checkpoint, so a subclass adds fields that scoring reads
    (:func:`methods.base.scoring_field`) and no others.
    """

    base_width: int = Field(32, ge=2, le=512, description="channels at full resolution")
    attention: tuple[Literal[4, 8, 16], ...] = Field(
        (4, 8, 16), description="reductions of the image edge at which self-attention stands"
    )
    diffusion_steps: int = Field(1000, ge=2, le=10_000, description="T")
    beta_start: float = Field(1e-4, gt=0, lt=1, description="noise variance of the first step")
    beta_end: float = Field(0.02, gt=0, lt=1, description="noise variance of the last step")
    training_noise: NoiseName = Field("pyramid", description="noise the network learns to predict")
    training_t_low: int = Field(1, ge=1, description="lowest time step trained")
    training_t_high: int = Field(1000, ge=2, description="time step before which training stops")
    discount: float = Field(0.8, gt=0, le=1, description="pyramid noise: amplitude per octave")
    published_pyramid: bool = Field(
        False,
        description="pyramid noise with one size ratio per octave and one standard deviation for a whole "
        "training batch, as published; otherwise each slice has its own",
    )

    @field_validator("base_width")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("an even number wanted: attention has four heads at twice this width")
        return value

    @field_validator("attention")
    @classmethod
    def _in_order(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(value)))  # the same network has the same identity

    @model_validator(mode="after")
    def _training_range(self) -> DDPMConfig:
        check_range("training_t", self.training_t_low, self.training_t_high, self.diffusion_steps)
        return self


def check_range(name: str, low: int, high: int, steps: int) -> None:
    """Check a range of time steps low..high-1 against T = ``steps``.

    Raises
    ------
    ValueError
        Names both bounds.
    """
    if not 1 <= low < high <= steps:
        raise ValueError(
            f"{name}_low = {low}, {name}_high = {high}: 1 <= low < high <= {steps} wanted"
        )


class DDPMDetector(SliceDetector):
    """A detector that scores slices with a noise-predicting network.

    Trained by the mean squared error of the predicted noise (Ho et al. 2020, eq. 14), t uniform in
    ``training_t_low`` .. ``training_t_high`` - 1.
    """

    Config = DDPMConfig
    training_name = "ddpm"
    config: Any

    @property
    def schedule(self) -> Schedule:
        """The diffusion process."""
        c = self.config
        return linear_schedule(c.diffusion_steps, c.beta_start, c.beta_end)

    def network(self) -> nn.Module:
        """Build the U-Net; its memory format is the faster one for convolutions."""
        net = UNet(
            self.spec.channels, self.spec.size, self.config.base_width, self.config.attention
        )
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Mean squared error of the predicted noise, for slices (N, C, H, W) of about [0, 1]."""
        c = self.config
        t = generator.integers(c.training_t_low, c.training_t_high)
        noise = self.noise(c.training_noise, generator, batch, c.published_pyramid)
        x_t = self.schedule.q_sample(2 * batch - 1, t, noise)
        return F.mse_loss(self.net(x_t, t).float(), noise)

    def noise(
        self,
        name: NoiseName,
        generator: SliceGenerator,
        like: torch.Tensor,
        published_pyramid: bool = False,
        shared: bool = False,
    ) -> torch.Tensor:
        """Draw noise for slices (N, C, H, W); where ``shared``, all get that of the first, each turned and mirrored at random."""
        _, channels, height, width = like.shape
        noise = draw_noise(
            name,
            generator,
            (channels, height, width),
            discount=self.config.discount,
            published_pyramid=published_pyramid,
        )
        return turned(noise[:1].expand_as(noise), generator) if shared else noise

    def predict_noise(self, x_t: torch.Tensor, t: int) -> torch.Tensor:
        """Predict the noise in x_t (N, C, H, W), all slices at time step t; float32."""
        out: torch.Tensor = self.net(x_t, torch.full((1,), t, device=x_t.device))
        return out.float()

    def predict_image(self, x_t: torch.Tensor, t: int, clamp: bool = True) -> torch.Tensor:
        """Predict x_0 from x_t (N, C, H, W), on [-1, 1] scale; clamped to it by default."""
        image = self.schedule.predict_image(x_t, t, self.predict_noise(x_t, t))
        return image.clamp_(-1, 1) if clamp else image

    def denoise(
        self,
        x_t: torch.Tensor,
        t: int,
        generator: SliceGenerator,
        noise: NoiseName,
        stride: int = 1,
        published_end: bool = False,
        shared: bool = False,
    ) -> torch.Tensor:
        """Walk the chain back from x_t to an image (Ho et al. 2020, algorithm 2).

        Each step predicts x_0 and draws x_{t - stride} from q(x_{t - stride} | x_t, x_0). Time step 0, one step of noise,
        is not trained: the prediction at the lowest time step above it is the image.

        Parameters
        ----------
        x_t : float32 tensor (N, C, H, W)
            Noised slices.
        t : int
            Their time step, at least 1.
        noise : str
            What the chain draws; see :func:`methods.diffusion.noise.draw_noise`.
        stride : int
            Time steps to a step of the chain.
        published_end : bool
            End, as in the published code, with the mean at time step 0 (one step of noise) in place of the last
            prediction: a little of the noise stays, and values may leave [-1, 1].
        shared : bool
            Draw one noise for all slices; see :func:`methods.diffusion.noise.turned`.

        Returns
        -------
        float32 tensor (N, C, H, W)
            On [-1, 1] scale.
        """
        image = self.predict_image(x_t, t)
        while t - stride >= 1:
            mean, deviation = self.schedule.posterior(image, x_t, t, t - stride)
            x_t = mean + deviation * self.noise(noise, generator, x_t, shared=shared)
            t -= stride
            image = self.predict_image(x_t, t)
        return self.schedule.posterior(image, x_t, t, 0)[0] if published_end else image
