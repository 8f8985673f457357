import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from andi_bench.randomness import SliceGenerator
from methods.diffusion.noise import draw_noise, gaussian_noise, pyramid_noise, turned


def streams(count: int, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def by_definition(edge: int, rng: random.Random, generator: torch.Generator) -> torch.Tensor:
    """Pyramid noise of one slice of one channel, read off its definition."""
    noise = torch.randn(1, 1, edge, edge, generator=generator)
    size = edge
    for octave in range(10):
        size = max(1, int(size / rng.uniform(2, 4) ** octave))
        layer = torch.randn(1, 1, size, size, generator=generator)
        noise += 0.8**octave * F.interpolate(layer, (edge, edge), mode="bilinear", antialias=True)
        if size == 1:
            break
    return noise / noise.std()


def radial_power(noise: torch.Tensor) -> np.ndarray:
    """Mean power in eight rings of spatial frequency, and of the mean, for noise (N, 1, S, S)."""
    images = noise[:, 0].double().numpy()
    edge = images.shape[-1]
    power = (np.abs(np.fft.fft2(images)) ** 2).mean(axis=0) / edge**2
    frequency = np.abs(np.fft.fftfreq(edge))
    ring = np.hypot(frequency[:, None], frequency[None]) * 2 * 8
    rings = [power[(ring >= k) & (ring < k + 1) & (ring > 0)].mean() for k in range(8)]
    return np.array([power[0, 0], *rings])


@pytest.mark.parametrize("published", [False, True])
def test_pyramid_noise_has_the_spectrum_of_its_definition(published):
    count, edge = 1500, 32
    rng, generator = random.Random(0), torch.Generator().manual_seed(0)
    wanted = radial_power(torch.cat([by_definition(edge, rng, generator) for _ in range(count)]))
    if published:  # one r a batch: many batches; one deviation a batch of one is that of the slice
        parts = [
            pyramid_noise(streams(1, k), (1, edge, edge), published=True) for k in range(count)
        ]
        found = radial_power(torch.cat(parts))
    else:
        found = radial_power(pyramid_noise(streams(count), (1, edge, edge)))
    assert found[1:] == pytest.approx(wanted[1:], rel=0.08)
    assert found[0] == pytest.approx(wanted[0], rel=0.25)  # one number a slice


def test_pyramid_noise_is_not_white():
    power = radial_power(pyramid_noise(streams(400), (1, 64, 64)))
    assert power[1] > 3 * power[-1]


@pytest.mark.parametrize("edge", [16, 64, 128])
def test_every_slice_of_pyramid_noise_has_unit_deviation(edge):
    noise = pyramid_noise(streams(5), (4, edge, edge))
    assert noise.std(dim=(1, 2, 3)).numpy() == pytest.approx(np.ones(5), abs=1e-4)


def test_published_pyramid_noise_has_one_deviation_for_the_batch():
    noise = pyramid_noise(streams(6), (4, 32, 32), published=True)
    assert noise.std().item() == pytest.approx(1, abs=1e-4)
    assert np.ptp(noise.std(dim=(1, 2, 3)).numpy()) > 1e-3


def test_octaves_at_128_are_full_a_quarter_to_a_half_a_sixteenth_at_most_and_one():
    sizes: list[tuple[int, int]] = []
    generator = streams(50)
    drawn = generator.normal

    def spy(*shape: int) -> torch.Tensor:
        sizes.append(shape[-2:])
        return drawn(*shape)

    generator.normal = spy  # type: ignore[method-assign]
    pyramid_noise(generator, (1, 128, 128))
    assert sizes == [(128, 128), (64, 64), (16, 16), (2, 2), (1, 1)]


@pytest.mark.parametrize("seed", range(6))
def test_octaves_are_enlarged_as_bilinear_interpolation_does(seed):
    edge, stream = 32, streams(1, seed)
    wanted, size = stream.normal(3, edge, edge) * 2**0.5, edge
    for octave, largest in ((1, 16), (2, 4), (3, 1)):
        ratio = stream.uniform(1, low=2, high=4).item()
        ended = size == 1
        size = max(1, int(size / ratio**octave))
        layer = stream.normal(3, largest, largest)[..., :size, :size]
        if not ended:
            wanted += 0.8**octave * F.interpolate(layer, (edge, edge), mode="bilinear")
    found = pyramid_noise(streams(1, seed), (3, edge, edge))
    assert torch.allclose(found, wanted / wanted.std(), atol=1e-4)


@pytest.mark.parametrize("name", ["gaussian", "pyramid"])
def test_the_noise_of_a_slice_does_not_depend_on_the_batch_it_is_in(name):
    together = draw_noise(name, streams(7), (2, 32, 32))
    alone = torch.cat([draw_noise(name, streams(1, k), (2, 32, 32)) for k in range(7)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_gaussian_noise_is_white_with_unit_variance():
    noise = gaussian_noise(streams(200), (1, 32, 32))
    assert noise.mean().abs().item() < 0.01
    assert noise.var().item() == pytest.approx(1, abs=0.01)
    assert radial_power(noise)[1:] == pytest.approx(np.ones(8), abs=0.05)


def test_noise_leaves_global_random_state_alone():
    before = torch.get_rng_state(), random.getstate()
    pyramid_noise(streams(2), (1, 16, 16))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_reduced_precision_of_the_network_leaves_the_noise_in_float32():
    plain = pyramid_noise(streams(2), (1, 32, 32))
    with torch.autocast("cpu", torch.bfloat16):
        cast = pyramid_noise(streams(2), (1, 32, 32))
    assert cast.dtype == torch.float32
    assert torch.equal(plain, cast)


@pytest.mark.parametrize("shape", [(112, 96), (24, 64), (30, 1)])
def test_octaves_of_an_oblong_slice_shrink_along_both_edges_until_the_shorter_is_one(shape):
    stream, edges, octave = streams(1, 3), list(shape), 0
    wanted = stream.normal(2, *shape) * 2**0.5
    largest = edges
    while min(largest) > 1:
        octave += 1
        largest = [max(1, edge // 2**octave) for edge in largest]
        ratio, ended = stream.uniform(1, low=2, high=4).item(), min(edges) == 1
        edges = [max(1, int(edge / ratio**octave)) for edge in edges]
        layer = stream.normal(2, *largest)[..., : edges[0], : edges[1]]
        if not ended:
            wanted += 0.8**octave * F.interpolate(layer, shape, mode="bilinear")
    found = pyramid_noise(streams(1, 3), (2, *shape))
    assert torch.allclose(found, wanted / wanted.std(), atol=1e-4)


def test_one_noise_for_many_slices_is_turned_by_multiples_of_15_degrees_and_mirrored_for_each():
    noise = torch.randn(2, 24, 24, generator=torch.Generator().manual_seed(0))
    found = turned(noise.expand(16, -1, -1, -1), streams(16)).numpy()
    middle, seen = np.array([11.5, 11.5]), set()
    for image in found:
        shares = {}
        for k in range(24):
            angle = np.pi / 12 * k
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            for mirror in (1, -1):  # a mirror along the other axis is this one and half a turn
                matrix = np.diag([mirror, 1]) @ turn
                offset = middle - matrix @ middle
                wanted = ndimage.affine_transform(noise[0].numpy(), matrix, offset, order=0)
                shares[k, mirror] = float((wanted == image[0]).mean())
        best = max(shares, key=shares.__getitem__)
        assert shares[best] > 0.95  # all but ties between two nearest pixels
        assert sorted(shares.values())[-2] < 0.7
        seen.add(best)
    assert len(seen) > 8
