"""A sound detector as the source of a plug-in, and what breaks it: one fault for each check of the suite."""

from __future__ import annotations

SOUND = '''
import os, random, sys, tempfile
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from andi_bench.errors import UserError
from methods.base import DetectorConfig, Field, SliceDetector, register


class Settings(DetectorConfig):
    width: int = Field(4, ge=1, description="channels of the hidden layer")


class Denoiser(SliceDetector):
    """A sound detector: what a small network cannot denoise."""

    Config = Settings

    def network(self):
        c, w = self.spec.channels, self.config.width
        return nn.Sequential(nn.Conv2d(c, w, 3, padding=1), nn.ReLU(), nn.Conv2d(w, c, 1))

    def loss(self, batch, generator):
        noise = generator.normal(*batch.shape[1:])
        return (self.net(batch + 0.2 * noise).float() - batch).square().mean()

    def score_slices(self, batch, generator):
        return (self.net(batch + 0.01 * generator.normal(*batch.shape[1:])).float() - batch).abs()


@register("mine")
class Mine(Denoiser):
'''

BROKEN = {
    "a field without description": (
        "configuration",
        "class Config(Settings):\n    bare: int = 3",
        "1 of 2 fields without description: bare",
    ),
    "unknown keys accepted": (
        "configuration",
        "class Config(Settings, extra='ignore'):\n    pass",
        "'no_such_hyper_parameter' is accepted",
    ),
    "no default": (
        "configuration",
        "class Config(Settings):\n    bare: int = Field(description='bare')",
        "Field required",
    ),
    "a loss that teaches nothing": (
        "training lowers the loss",
        "def loss(self, batch, generator):\n    return 0 * super().loss(batch, generator) + 2",
        "mean loss 2 before, 2 after 20 steps: a lower one wanted",
    ),
    "a tensor missing in the state": (
        "save and load",
        "def state(self):\n    return {k: v for k, v in super().state().items() if k != 'net.0.bias'}",
        "0.bias",
    ),
    "learnt, but not in the state": (
        "save and load",
        "scale = 1.0\n"
        "def fit(self, slices, context):\n    super().fit(slices, context)\n    self.scale = 2.0\n"
        "def score_slices(self, batch, generator):\n"
        "    return self.scale * super().score_slices(batch, generator)",
        "saved and loaded: the maps differ by 0.5 of the largest score, 0 wanted",
    ),
    "noise that depends on a counter": (
        "stop and resume",
        "calls = 0\n"
        "def loss(self, batch, generator):\n    self.calls += 1\n"
        "    return super().loss(batch, generator.fork(str(self.calls)))",
        "stopped at step 10 and resumed: 4 of 4 tensors differ",
    ),
    "scores relative to the batch": (
        "batch size",
        "def score_slices(self, batch, generator):\n    return (batch - batch.mean(dim=0)).abs()",
        "batches of 1 and of 4 slices: the maps differ by",
    ),
    "one random stream for the whole batch": (
        "batch size",
        "def score_slices(self, batch, generator):\n"
        "    g = torch.Generator().manual_seed(generator.seeds[0])\n"
        "    return batch + torch.rand(batch.shape, generator=g)",
        "batches of 1 and of 4 slices: the maps differ",
    ),
    "a memory of the subjects before": (
        "order of subjects",
        "seen = 0\n"
        "def score(self, volume, context):\n    self.seen += 1\n"
        "    return super().score(volume, context) * np.float32(self.seen)",
        "scored first and last: the maps differ by 3 of",
    ),
    "scores that are not finite": (
        "form of the map",
        "def score_slices(self, batch, generator):\n    return batch / 0",
        "scores in the brain are not finite",
    ),
    "another shape": (
        "form of the map",
        "def score(self, volume, context):\n    return super().score(volume, context)[:-1]",
        "map of shape (31, 32, 39): (32, 32, 39) wanted",
    ),
    "float64": (
        "form of the map",
        "def score(self, volume, context):\n    return super().score(volume, context).astype(float)",
        "map of float64: float32 wanted",
    ),
    "a tensor instead of an array": (
        "form of the map",
        "def score(self, volume, context):\n"
        "    return torch.from_numpy(super().score(volume, context))",
        "score() returns Tensor",
    ),
    "a constant map": (
        "form of the map",
        "def score_slices(self, batch, generator):\n    return torch.ones_like(batch)",
        "every score in the brain is 1",
    ),
    "a brain mask that is overwritten": (
        "zero outside the brain",
        "def score(self, volume, context):\n    volume.brain[:] = True\n"
        "    return super().score(volume, context)",
        "voxels outside the brain with a score: 0 wanted",
    ),
    "an image that is overwritten": (
        "zero outside the brain",
        "def score(self, volume, context):\n    volume.image[:] += 1\n"
        "    return super().score(volume, context)",
        "values of the volume's image",
    ),
    "a brain that must not be empty": (
        "empty slices",
        "def score(self, volume, context):\n    volume.image[:, volume.brain].max()\n"
        "    return super().score(volume, context)",
        "all slices empty: ValueError",
    ),
    "slices that must not be empty": (
        "empty slices",
        "def score(self, volume, context):\n"
        "    inside = volume.brain.any(axis=(0, 1))\n"
        "    if not inside[inside.argmax() : len(inside) - inside[::-1].argmax()].all():\n"
        "        raise ValueError('a gap')\n"
        "    return super().score(volume, context)",
        "some slices empty: ValueError: a gap",
    ),
    "a second modality taken for granted": (
        "one modality",
        "def score_slices(self, batch, generator):\n    return batch[:, 1:2] - batch[:, :1]",
        "flair alone: IndexError",
    ),
    "a refusal that does not say what is missing": (
        "one modality",
        "def network(self):\n    if self.spec.channels < 2:\n"
        "        raise UserError('more channels wanted')\n    return super().network()",
        "flair: refused without naming a modality: more channels wanted",
    ),
    "a grid that is built in": (
        "another grid",
        "def network(self):\n    return nn.Sequential("
        "nn.Flatten(2), nn.Linear(1024, 1024), nn.Unflatten(2, (32, 32)))",
        "48 x 48: RuntimeError",
    ),
    "a number format that is built in": (
        "bf16",
        "def score_slices(self, batch, generator):\n"
        "    return torch.from_numpy(F.conv2d(batch, self.net[0].weight, padding=1).numpy())",
        "TypeError: Got unsupported ScalarType BFloat16",
    ),
    "a word": (
        "keeps to itself",
        "def score(self, volume, context):\n    print('scoring')\n"
        "    return super().score(volume, context)",
        "score: 8 characters printed: scoring",
    ),
    "a word past Python's streams": (
        "keeps to itself",
        "def fit(self, slices, context):\n    os.write(2, b'learning')\n"
        "    super().fit(slices, context)",
        "fit: 8 characters printed: learning",
    ),
    "a word on stderr": (
        "keeps to itself",
        "def score(self, volume, context):\n    print('odd', file=sys.stderr)\n"
        "    return super().score(volume, context)",
        "characters printed: odd",
    ),
    "a file in the working folder": (
        "keeps to itself",
        "def score(self, volume, context):\n    torch.save({}, 'notes.pt')\n"
        "    return super().score(volume, context)",
        "score: 1 file written: notes.pt",
    ),
    "a temporary file": (
        "keeps to itself",
        "def fit(self, slices, context):\n"
        "    os.close(tempfile.mkstemp(suffix='.cache')[0])\n    super().fit(slices, context)",
        ".cache",
    ),
    "a file elsewhere": (
        "keeps to itself",
        "def score(self, volume, context):\n"
        "    with open(__file__ + '.log', 'a') as file:\n        file.write('x')\n"
        "    return super().score(volume, context)",
        "score: 1 file written: mine.py.log",
    ),
    "the global generator of torch": (
        "keeps to itself",
        "def score_slices(self, batch, generator):\n    return batch + torch.randn(batch.shape)",
        "score: global random state of torch changed",
    ),
    "the global generator of torch in the loss": (
        "keeps to itself",
        "def loss(self, batch, generator):\n"
        "    return super().loss(batch + torch.randn(batch.shape), generator)",
        "loss: global random state of torch changed",
    ),
    "the global generators of numpy and python": (
        "keeps to itself",
        "def fit(self, slices, context):\n    np.random.rand()\n    random.random()\n"
        "    super().fit(slices, context)",
        "fit: global random state of random, numpy.random changed",
    ),
    "dark where it should be bright": (
        "sees a lesion",
        "def score_slices(self, batch, generator):\n    return 1 - batch[:, :1]",
        "a higher one in the lesion wanted",
    ),
}
