"""The folder that everything a user makes lies in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from andi_bench.errors import UserError

VARIABLE = "ANDI_BENCH_WORKSPACE"


@dataclass(frozen=True)
class Workspace:
    """Where data, slices, trainings, maps, records and leaderboards are kept.

    Parameters
    ----------
    root : Path
        By default ``workspace`` in the current folder, or what the variable ANDI_BENCH_WORKSPACE says.
    """

    root: Path

    @classmethod
    def default(cls) -> Workspace:
        """Return the workspace that is used where none is named."""
        return cls(Path(os.environ.get(VARIABLE) or "workspace"))

    @classmethod
    def at(cls, root: Path | None) -> Workspace:
        """Return the workspace of that folder; None: the default one."""
        return cls.default() if root is None else cls(root)

    @property
    def slices(self) -> Path:
        """Slice stores."""
        return self.root / "slices"

    @property
    def landmarks(self) -> Path:
        """Landmarks of training splits, for normalisation."""
        return self.root / "landmarks"

    @property
    def boxes(self) -> Path:
        """Brain boxes of training splits, for the crop."""
        return self.root / "boxes"

    @property
    def trainings(self) -> Path:
        """Trained detectors."""
        return self.root / "trainings"

    @property
    def maps(self) -> Path:
        """Anomaly maps."""
        return self.root / "maps"

    @property
    def views(self) -> Path:
        """What figures show of the scans, and masks on the scans' own grids."""
        return self.root / "views"

    @property
    def records(self) -> Path:
        """Run records."""
        return self.root / "records"

    @property
    def speeds(self) -> Path:
        """What methods cost on this machine."""
        return self.root / "speed"

    @property
    def tuning(self) -> Path:
        """Searches for settings."""
        return self.root / "tuning"

    @property
    def jobs(self) -> Path:
        """Jobs of sweeps: what each is, its log, how it ended."""
        return self.root / "jobs"

    @property
    def diagnoses(self) -> Path:
        """What was looked for in finished runs, a folder a record."""
        return self.root / "diagnoses"

    @property
    def pseudonyms(self) -> Path:
        """Who is who in published runs; never published."""
        return self.root / "pseudonyms"

    @property
    def leaderboards(self) -> Path:
        """Markdown leaderboards."""
        return self.root / "leaderboard"

    @property
    def locks(self) -> Path:
        """Lock files of what must be made by one process at a time."""
        return self.root / "locks"

    def check_writable(self) -> None:
        """Find out before hours of work whether its result can be written.

        Raises
        ------
        UserError
            When it cannot.
        """
        probe = self.records / f".probe.{os.getpid()}"
        try:
            self.records.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise UserError(
                f"workspace {self.root}: cannot be written ({error.strerror}); "
                f"--workspace or {VARIABLE} names another"
            ) from error
