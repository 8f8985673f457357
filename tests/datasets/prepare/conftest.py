"""The template, loaded once."""

from __future__ import annotations

import pytest

from datasets.prepare.template import RegistrationTemplate, icbm_template


@pytest.fixture(scope="session")
def icbm() -> RegistrationTemplate:
    return icbm_template()
