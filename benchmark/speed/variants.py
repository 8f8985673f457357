"""Settings that are measured one beside the other: ``--vary scoring.batch_size=16,64``."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import yaml

from andi_bench.config import merge, nested, parse_assignments, scalar
from andi_bench.errors import UserError


def variants(texts: Sequence[str]) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
    """Return every combination of the values given: how it is called, and its layer of configuration.

    Parameters
    ----------
    texts : sequence of str
        ``key=value,value``; a value that is a list stands in brackets. One empty combination for none.

    Raises
    ------
    UserError
        For text that is no key with values, or a key of no section.
    """
    choices = []
    for text in texts:
        key, equals, values = text.partition("=")
        try:
            found = yaml.safe_load(f"[{values}]") if equals else None
        except yaml.YAMLError:
            found = None
        if not found:
            raise UserError(
                f"--vary {text}: key=value,value wanted, such as scoring.batch_size=16,64"
            )
        parse_assignments([f"{key}=0"])  # refuses a key without its section
        choices.append([(key.strip(), scalar(value)) for value in found])
    return [
        (
            tuple(f"{key}={_shown(value)}" for key, value in chosen),
            merge(*(nested(key, value) for key, value in chosen)),
        )
        for chosen in itertools.product(*choices)
    ]


def _shown(value: Any) -> str:
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()
    )
