"""ANDi as plainly as its publication describes it: what our own speed is measured against.

The network has the parameters of :class:`methods.networks.unet.UNet`, so that both compute the same numbers, and the
layers' ``forward`` as published: ``nn.MultiheadAttention`` with its table of weights, an embedding a slice, sums and
concatenations one by one, memory channels-first. A volume is scored whole, all slices of it at each time step,
empty ones too; a training step draws its noise octave by octave and moves the average parameter by parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from methods.diffusion.schedule import Schedule
from methods.networks.unet import ConvBlock, Down, SelfAttention, UNet, Up


class _Block(ConvBlock):
    def forward(self, x: torch.Tensor, shift: torch.Tensor | None = None) -> torch.Tensor:
        out: torch.Tensor = self.double_conv(x)
        return F.gelu(x + out) if self.residual else out


class _Down(Down):
    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        x = self.maxpool_conv(x)
        shift = self.emb_layer(embedding)[:, :, None, None].repeat(1, 1, *x.shape[-2:])
        out: torch.Tensor = x + shift
        return out


class _Up(Up):
    def forward(self, x: torch.Tensor, skip: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        x = self.conv(torch.cat([skip, x], dim=1))
        shift = self.emb_layer(embedding)[:, :, None, None].repeat(1, 1, *x.shape[-2:])
        out: torch.Tensor = x + shift
        return out


class _Attention(SelfAttention):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        tokens = x.reshape(n, c, h * w).swapaxes(1, 2)
        normed = self.ln(tokens)
        value, _ = self.mha(normed, normed, normed)
        value = value + tokens
        value = self.ff_self(value) + value
        return value.swapaxes(2, 1).reshape(n, c, h, w)


class _Net(UNet):
    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        embedding = self.embed(t)
        x1 = self.inc2(self.inc(x))
        x2 = self.down1(x1, embedding)
        x3 = self.sa1(self.down2(x2, embedding))
        x4 = self.sa2(self.down3(x3, embedding))
        x5 = self.sa3(self.down4(x4, embedding))
        x5 = self.sa4(self.bot3(self.bot1(x5)))
        x = self.sa5(self.up1(x5, x4, embedding))
        x = self.sa6(self.up2(x, x3, embedding))
        out: torch.Tensor = self.outc(self.up4(self.up3(x, x2, embedding), x1, embedding))
        return out


_PLAIN = {ConvBlock: _Block, Down: _Down, Up: _Up, SelfAttention: _Attention, UNet: _Net}


def plain_network(channels: int, image_size: tuple[int, int], base_width: int = 32) -> nn.Module:
    """Build the network with the layers' ``forward`` as published; ``state_dict`` is that of ours."""
    net = UNet(channels, image_size, base_width)
    for module in net.modules():
        module.__class__ = _PLAIN.get(type(module), type(module))
    return net


@torch.no_grad()
def plain_map(
    net: nn.Module,
    slices: torch.Tensor,
    steps: Sequence[int],
    noise: Callable[[int], torch.Tensor],
) -> torch.Tensor:
    """Score a volume: the geometric mean over time of (mu(x_t, eps) - mu(x_t, eps_hat))^2.

    Parameters
    ----------
    net : nn.Module
        From :func:`plain_network`, in evaluation mode.
    slices : float32 tensor (Z, C, H, W)
        All slices of the volume, about [0, 1].
    steps : sequence of int
        Time steps.
    noise : callable
        Returns eps (Z, C, H, W) of a time step.

    Returns
    -------
    float32 tensor (Z, C, H, W)
    """
    schedule, image = Schedule(), 2 * slices - 1
    total = torch.zeros_like(image)
    for step in steps:
        eps = noise(step)
        t = torch.full((len(image),), step, device=image.device)
        x_t = schedule.q_sample(image, t, eps)
        predicted = net(x_t, t)
        true, found = schedule.mean(x_t, t, eps), schedule.mean(x_t, t, predicted)
        total += (true - found).square().clamp(min=1e-30).log()
    return (total / len(steps)).exp()


def pyramid(images: torch.Tensor, discount: float = 0.8) -> torch.Tensor:
    """Draw pyramid noise octave by octave, one ratio and one standard deviation for the batch (N, C, H, W)."""
    n, c, height, width = images.shape
    out, edge = torch.randn_like(images), (height, width)
    enlarge = nn.Upsample(size=edge, mode="bilinear")
    for octave in range(10):
        ratio = float(torch.rand(1)) * 2 + 2
        height, width = max(1, int(height / ratio**octave)), max(1, int(width / ratio**octave))
        layer = torch.randn(n, c, height, width, device=images.device)
        out += enlarge(layer) * discount**octave
        if height == 1 or width == 1:
            break
    return out / out.std()


def plain_training_step(
    net: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor
) -> float:
    """Do one step of training on slices (N, C, H, W) of about [0, 1]; return the loss."""
    schedule = Schedule()
    t = torch.randint(1, 1000, (len(images),), device=images.device)
    eps = pyramid(images)
    loss = F.mse_loss(net(schedule.q_sample(2 * images - 1, t, eps), t), eps)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for kept, now in zip(average.parameters(), net.parameters(), strict=True):
            kept.data = kept.data * 0.995 + (1 - 0.995) * now.data
    return loss.item()
