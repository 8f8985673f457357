"""Random numbers depend on what is computed, never on how the work is cut, and are as good as random ones."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from andi_bench.randomness import SliceGenerator, derive_seed


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=6), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_a_slices_numbers_do_not_depend_on_the_batch_it_is_in(seeds, size):
    whole = SliceGenerator(seeds)
    normal, uniform, whole_numbers = (
        whole.normal(size, 2),
        whole.uniform(size, low=2.0, high=4.0),
        whole.integers(3, 9, size),
    )
    for k, seed in enumerate(seeds):
        alone = SliceGenerator([seed])
        assert torch.equal(alone.normal(size, 2)[0], normal[k])
        assert torch.equal(alone.uniform(size, low=2.0, high=4.0)[0], uniform[k])
        assert torch.equal(alone.integers(3, 9, size)[0], whole_numbers[k])
    assert float(uniform.min()) >= 2
    assert float(uniform.max()) < 4
    assert set(whole_numbers.ravel().tolist()) <= set(range(3, 9))


@pytest.mark.parametrize("count", [5, 1001, 9216, 70_001])
def test_a_slice_has_the_same_bytes_in_a_batch_of_many_chunks(count):
    together = SliceGenerator(range(40)).normal(count)
    for k in (0, 13, 39):
        assert torch.equal(SliceGenerator([k]).normal(count)[0], together[k])


def test_a_draw_is_the_same_whatever_the_sizes_of_those_before():
    short, long = SliceGenerator([1, 2]), SliceGenerator([1, 2])
    first, _ = short.normal(3), long.uniform(1000)
    assert torch.equal(short.normal(4), long.normal(4))
    assert not torch.equal(first, short.normal(3))


def test_a_fork_does_not_depend_on_what_was_drawn_before():
    fresh, used = SliceGenerator([1, 2]), SliceGenerator([1, 2])
    used.normal(100)
    assert torch.equal(fresh.fork("mask").normal(4), used.fork("mask").normal(4))
    assert torch.equal(fresh.counted("mask", 4), used.fork("mask").uniform(4))
    assert not torch.equal(fresh.fork("mask").normal(4), fresh.fork("other").normal(4))
    assert not torch.equal(fresh.fork("mask").normal(4), fresh.normal(4))
    there, back = fresh.fork("a").fork("b"), fresh.fork("b").fork("a")
    assert not torch.equal(there.normal(4), back.normal(4))
    assert fresh.fork("mask").seeds == (1, 2)


def test_several_forks_at_once_are_those_one_by_one_purpose_by_purpose():
    generator, purposes = SliceGenerator([5, 6, 7]), ["t 199", "t 198"]
    together = generator.forks(purposes)
    one_by_one = torch.cat([generator.fork(purpose).normal(9) for purpose in purposes])
    assert len(together) == 6
    assert torch.equal(together.normal(9), one_by_one)
    inner = torch.cat([generator.fork(p).fork("x").normal(2) for p in purposes])
    assert torch.equal(generator.forks(purposes).fork("x").normal(2), inner)


def test_chosen_slices_have_their_own_streams_from_the_start():
    generator = SliceGenerator([5, 6, 7]).fork("flip")
    generator.normal(3)
    fresh = SliceGenerator([5, 6, 7]).fork("flip").normal(4)
    assert torch.equal(generator.chosen([2, 0]).normal(4), fresh[[2, 0]])


def test_threads_and_inference_mode_draw_the_same():
    wanted = SliceGenerator(range(8)).normal(999)
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: SliceGenerator(range(8)).normal(999), range(12)))
    with torch.inference_mode():
        drawn.append(SliceGenerator(range(8)).normal(999))
    drawn.append(SliceGenerator(range(8)).normal(999))
    assert all(torch.equal(part, wanted) for part in drawn)


def test_numbers_may_be_none_and_slices_too():
    assert SliceGenerator([1, 2]).normal(0).shape == (2, 0)
    assert SliceGenerator([]).normal(3, 4).shape == (0, 3, 4)
    assert SliceGenerator([1]).uniform().shape == (1,)
    with pytest.raises(ValueError, match="a range with at least one"):
        SliceGenerator([1]).integers(3, 3)


def test_the_stream_is_the_one_that_its_version_names():
    """Fails when numbers change: raise ``randomness.VERSION`` then."""
    generator = SliceGenerator([derive_seed(0, "S01", 3, "score")])
    assert generator.fork("noise").integers(0, 10**6, 4)[0].tolist() == [
        938855,
        318818,
        189460,
        894976,
    ]
    assert generator.uniform(2)[0].tolist() == [0.734186589717865, 0.34446603059768677]
    assert generator.normal(4)[0].tolist() == pytest.approx(
        [1.3540134, 1.932826, -1.4867074, -0.3312611], abs=1e-6
    )


def test_seeds_are_the_same_on_every_machine_and_parts_do_not_run_together():
    assert derive_seed(0, "BraTS2021_00000", 77, "noise") == derive_seed(
        "0", "BraTS2021_00000", "77", "noise"
    )
    assert derive_seed("a", "bc") != derive_seed("ab", "c")
    assert derive_seed(0, "S01", 3, "score") == 5_050_298_792_011_347_774
    assert all(0 <= derive_seed(k) < 2**63 for k in range(100))


@given(st.floats(-1e6, 1e6, width=32), st.floats(2.0**-10, 1e6, width=32))
@settings(max_examples=60, deadline=None)
def test_uniform_numbers_never_reach_the_upper_bound(low, span):
    high = float(np.float32(low + span))
    assume(high > low)
    drawn = SliceGenerator([3]).uniform(4096, low=low, high=high).double()
    assert low <= drawn.min()
    assert drawn.max() < high


@pytest.fixture(scope="module")
def normal() -> torch.Tensor:
    """A million normal numbers: 64 neighbouring seeds, two draws of each, in float64."""
    generator = SliceGenerator(range(64))
    return torch.cat([generator.normal(1, 8192), generator.normal(1, 8192)], dim=1).double()


def test_normal_numbers_have_the_moments_and_the_distribution_of_normal_ones(normal):
    flat = normal.ravel().numpy()
    count = flat.size
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert abs((flat**power).mean() - moment) < 4.5 * math.sqrt(variance / count)
    assert stats.kstest(flat, "norm").pvalue > 1e-3
    beyond = (np.abs(flat) > 4).sum()
    assert 30 < beyond < 110  # 66 expected


def test_streams_draws_and_places_are_not_correlated(normal):
    rows = normal.reshape(128, 8192)
    found = torch.corrcoef(rows) - torch.eye(128)
    assert found.abs().max() * math.sqrt(8192) < 5.2
    squares = torch.corrcoef(rows**2) - torch.eye(128)
    assert squares.abs().max() * math.sqrt(8192) < 5.8
    for lag in (1, 2, 3, 4, 8, 4096, 4097):  # blocks are of 4 words, pairs half a draw apart
        product = (rows[:, lag:] * rows[:, :-lag]).ravel()
        assert abs(product.mean()) * math.sqrt(product.numel()) < 4.5
        radii = ((rows[:, lag:] ** 2 - 1) * (rows[:, :-lag] ** 2 - 1)).ravel() / 2
        assert abs(radii.mean()) * math.sqrt(radii.numel()) < 4.5


def test_the_spectrum_of_normal_numbers_is_flat(normal):
    power = (torch.fft.rfft(normal.reshape(128, 8192)).abs() ** 2 / 8192)[:, 1:-1]
    assert stats.kstest(power.ravel().numpy(), "expon").pvalue > 1e-3
    bands = power.mean(dim=0).reshape(-1, 13).mean(dim=1)  # 315 bands of 1664 values
    assert (bands - 1).abs().max() * math.sqrt(128 * 13) < 4.5


def test_uniform_numbers_and_integers_are_spread_evenly():
    generator = SliceGenerator(range(100, 164))
    uniform = generator.uniform(4096).ravel().numpy()
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    low_bits = np.bincount((uniform * 2**24).astype(np.int64) & 63, minlength=64)
    assert stats.chisquare(low_bits).pvalue > 1e-3
    drawn = generator.integers(1, 1000, 4096).ravel().numpy()
    assert drawn.min() == 1
    assert drawn.max() == 999
    assert stats.chisquare(np.bincount(drawn)[1:]).pvalue > 1e-3
    third = 3 * 2**61  # of 2**63: a remainder would favour the lower third by half
    drawn = generator.integers(0, third, 1024).double().ravel().numpy()
    assert (drawn < third / 3).mean() < 0.52


@pytest.mark.slow
def test_four_million_words_of_neighbouring_seeds_draws_and_purposes_are_all_different():
    generator = SliceGenerator(range(256))
    forks = generator.forks([f"t {t}" for t in range(8)])
    drawn = torch.cat([generator.integers(-(2**62), 2**62, 1024) for _ in range(8)])
    drawn = torch.cat([drawn, forks.integers(-(2**62), 2**62, 1024)]).ravel()
    assert len(drawn.unique()) == len(drawn) == 4 * 2**20


@pytest.mark.slow
def test_birthdays_repeat_as_often_as_those_of_random_numbers():
    generator, found = SliceGenerator(range(64)), 0
    for _ in range(64):
        days = generator.integers(0, 2**36, 4096).sort(dim=1).values
        spacings = days.diff(dim=1).sort(dim=1).values
        found += int((spacings.diff(dim=1) == 0).sum())
    wanted = 64 * 64 * 4096**3 / (4 * 2**36)  # Marsaglia's birthday spacings: Poisson, 1.0 a row
    assert abs(found - wanted) < 4.5 * math.sqrt(wanted)


@pytest.mark.slow
def test_one_changed_bit_of_seed_place_or_draw_changes_half_of_a_words_bits():
    def compare(one: torch.Tensor, other: torch.Tensor) -> None:
        different = (one ^ other).numpy()
        changed = np.unpackbits(different.view(np.uint8)).sum() / different.size
        assert abs(changed - 31) < 4.5 * math.sqrt(62 / 4 / different.size)

    first = SliceGenerator([0])
    base = first.integers(0, 2**62, 512)
    compare(base, SliceGenerator([2**k for k in range(63)]).integers(0, 2**62, 512))
    compare(base, first.integers(0, 2**62, 512))
    compare(base[:, 1:], base[:, :-1])


@pytest.mark.slow
def test_a_hundred_million_normal_numbers_have_the_tails_of_normal_ones():
    generator, counts = SliceGenerator(range(100)), np.zeros(4)
    for _ in range(10):
        drawn = generator.normal(100_000).abs()
        counts += [int((drawn > edge).sum()) for edge in (3, 4, 5, 5.5)]
    wanted = 1e8 * 2 * stats.norm.sf([3, 4, 5, 5.5])
    assert (np.abs(counts - wanted) < 4.5 * np.sqrt(wanted) + 1).all()
