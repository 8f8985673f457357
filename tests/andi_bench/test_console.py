"""What is said of the command itself."""

import sys

import pytest

from andi_bench.console import program


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("/usr/local/bin/andi-bench", "andi-bench"),
        ("/lib/python3.11/site-packages/andi_bench/__main__.py", "python -m andi_bench"),
        ("/home/me/andi-bench/benchmark/__main__.py", "python -m benchmark"),
    ],
)
def test_a_command_is_proposed_in_the_form_that_was_used(monkeypatch, called, name):
    monkeypatch.setattr(sys, "argv", [called, "run"])
    assert program() == name
