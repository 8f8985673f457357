"""Small scans on disk, as the tests of this folder need them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.places import SHARED
from support.small_heads import Head, WriteSubject, head, write, write_subject


@pytest.fixture(name="head")
def head_fixture() -> Head:
    return head


@pytest.fixture(name="write")
def write_fixture() -> Callable[..., Path]:
    return write


@pytest.fixture(name="write_subject")
def write_subject_fixture() -> WriteSubject:
    return write_subject


@pytest.fixture(scope="session")
def patients() -> Path:
    """The two real patients beside the repository, in the published layout of Shifts-MS."""
    folder = SHARED / "data" / "shifts_ms"
    if not folder.is_dir():
        pytest.skip("the real patients are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def organised(patients: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same patients organised by links: ``patients/ljubljana_dev_in_<n>/``."""
    root = tmp_path_factory.mktemp("shifts")
    for path in sorted((patients / "ljubljana" / "dev_in").glob("*/*.nii.gz")):
        number = path.name.split("_")[0]
        link = root / "patients" / f"ljubljana_dev_in_{number}" / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    return root
