"""The template, raw Shifts-MS data, and what they come to, each made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.raw_shifts import SUBJECTS, coarse_template, write_raw

from datasets.prepare.register.registration_template import RegistrationTemplate, icbm_template


@pytest.fixture(scope="session")
def icbm() -> RegistrationTemplate:
    return icbm_template()


@pytest.fixture(scope="session")
def coarse(icbm, tmp_path_factory) -> Path:
    """The template with voxels of 4 mm, as a file."""
    return coarse_template(icbm, tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def raw_shifts(icbm, tmp_path_factory) -> Path:
    """Two patients in the published layout; not to be changed."""
    return write_raw(tmp_path_factory.mktemp("raw") / "shifts", icbm, tuple(SUBJECTS)[:2])


@pytest.fixture(scope="session")
def finished_once(raw_shifts, coarse, tmp_path_factory) -> Path:
    """All three steps done, without a reference; not to be changed."""
    from andi_bench.console import Console
    from andi_bench.workspace import Workspace
    from datasets.prepare.commands.shifts_steps import STEPS, ShiftsPreparation

    folder = tmp_path_factory.mktemp("finished")
    place = Workspace(folder / "workspace")
    asked = ShiftsPreparation(raw_shifts, folder / "out", place, template=coarse, workers=1)
    assert asked.run(STEPS, Console(quiet=True))
    return folder / "out"


@pytest.fixture
def finished(finished_once, tmp_path) -> Path:
    """A copy of the finished preparation, as ``out`` in the test's own folder."""
    return shutil.copytree(finished_once, tmp_path / "out", symlinks=True)
