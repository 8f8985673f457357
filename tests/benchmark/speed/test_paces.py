"""How much is measured in a time, and how repeats come together."""

import pytest

from benchmark.speed.paces import pace_of, part_within


def test_all_is_measured_where_there_is_time_and_a_share_where_there_is_not():
    assert part_within(131, 60.0, lambda n: 0.1 * n) == 131
    assert part_within(131, 5.0, lambda n: 0.1 * n) == 50
    assert part_within(131, 5.0, lambda n: 30.0 * n) == 1


def test_a_part_that_is_fast_only_when_it_is_large_is_found():
    asked = []

    def gpu(n):  # a call takes a tenth of a second, however many slices are in it
        asked.append(n)
        return 0.1

    assert part_within(131, 1.0, gpu) == 131
    assert asked == [1, 4, 16, 64, 131]


def test_the_median_counts_and_is_scaled_to_the_whole():
    pace = pace_of([2.0, 8.0, 3.0], 131 / 10, "10 of 131 slices", (700.0, 600.0))
    assert pace.seconds == pytest.approx(39.3)
    assert (pace.lowest, pace.highest) == (pytest.approx(26.2), pytest.approx(104.8))
    assert (pace.repeats, pace.peak_memory_mb, pace.above_mb) == (3, 700.0, 100.0)
