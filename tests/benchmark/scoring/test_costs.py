"""What a method costs: counted where it can be, never in the way."""

import numpy as np
import pytest
import torch
from support.small_volumes import CPU
from torch import nn

from andi_bench.names import counted
from benchmark.scoring.costs import (
    CallCounter,
    device_name,
    parameter_count,
    peak_memory_mb,
    reset_peak_memory,
)


def test_a_batch_counts_as_its_slices_and_only_while_it_is_asked_for():
    network, counter = nn.Linear(2, 1), CallCounter()
    network(torch.zeros(9, 2))
    with counter.counting(network):
        network(torch.zeros(3, 2))
        network(torch.zeros(4, 2))
    network(torch.zeros(5, 2))
    assert counter.slices == 7


def test_a_batch_counts_where_it_is_given_by_name_or_in_a_later_place():
    class Two(nn.Module):
        def forward(self, condition, masked):
            return condition if masked is None else masked

    network, counter = Two(), CallCounter()
    with counter.counting(network):
        network(None, torch.zeros(3, 2))
        network(torch.zeros(4, 2), None)
        network(masked=torch.zeros(5, 2), condition=None)
    assert counter.slices == 12


def test_a_network_that_fails_is_left_as_it_was():
    network, counter = nn.Linear(2, 1), CallCounter()
    with pytest.raises(RuntimeError), counter.counting(network):
        network(torch.zeros(3, 5))
    network(torch.zeros(2, 2))
    assert counter.slices == 3


def test_a_method_without_a_network_costs_no_calls_and_no_parameters():
    with CallCounter().counting(None) as counter:
        pass
    assert counter.slices == 0
    assert parameter_count(None) == 0
    assert parameter_count(nn.Linear(3, 2)) == 8


def test_the_peak_holds_what_was_allocated_and_freed():
    reset_peak_memory(CPU)
    before = peak_memory_mb(CPU)
    np.ones(64 << 20, dtype=np.uint8).sum()
    assert peak_memory_mb(CPU) >= before
    assert before > 10


def test_a_cpu_is_named_with_its_threads():
    assert device_name(CPU) == f"cpu, {counted(torch.get_num_threads(), 'thread')}"
