"""The built-in phantom as a data set: built when it is first asked for, then read like any scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from andi_bench.config import validated
from andi_bench.names import counted
from datasets.adapters.base import Progress
from datasets.adapters.folder import FolderAdapter
from datasets.phantom.build import PhantomConfig, build_phantom


class PhantomAdapter(FolderAdapter):
    """A phantom under ``root``, in the BraTS layout; see :mod:`datasets.phantom.build`.

    Parameters
    ----------
    name, root, splits_dir, cache
        As for :class:`datasets.adapters.base.DatasetAdapter`.
    options : mapping
        Fields of :class:`datasets.phantom.build.PhantomConfig`, and of ``Options``.
    """

    layout = "an empty or new folder, or a phantom built before"
    built_in = True

    def __init__(
        self,
        name: str,
        root: Path,
        options: dict[str, Any] | None = None,
        splits_dir: Path | None = None,
        cache: Path | None = None,
    ) -> None:
        mine = {
            key: value for key, value in (options or {}).items() if key in self.Options.model_fields
        }
        recipe = {key: value for key, value in (options or {}).items() if key not in mine}
        super().__init__(name, root, mine, splits_dir, cache)
        self.config = validated(PhantomConfig, recipe, f"options of data set '{name}'", "options.")
        self._ready = False

    def prepare(self, progress: Progress | None = None, workers: int | None = None) -> None:
        """Build the phantom, or what is missing of it.

        Raises
        ------
        UserError
            When the folder holds something else, or cannot be written.
        """
        if not self._ready:
            build_phantom(self.root, self.config, progress, workers)
            self._ready = True
        super().prepare(progress, workers)

    def notes(self) -> tuple[str, ...]:
        """Return what a reader of results should know: of a phantom that is too small to rank, that it is."""
        notes: tuple[str, ...] = super().notes()
        if not self.config.ranks:
            count = self.config.counts.test
            notes = (
                *notes,
                f"{counted(count, 'test subject shows', 'test subjects show')} that everything works; they cannot rank methods",
            )
        return notes

    def folder(self) -> Path:
        """Return the root, building the phantom if that was not done yet."""
        if not self._ready:
            build_phantom(self.root, self.config)
            self._ready = True
        return self.root
