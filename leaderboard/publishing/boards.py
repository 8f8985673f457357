"""Leaderboards that are published: which runs stand in one, and what is said above it. One YAML file each, in ``configs/leaderboards``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from andi_bench.config import Section, names_in, read_yaml, validated
from andi_bench.errors import unknown_name
from andi_bench.place import package_data

FOLDER = "leaderboards"
FIGURES = "figures"
"""Folder among the results that figures are drawn into; no data set's."""


class BoardData(Section):
    """A data set of a leaderboard: how its runs are asked for, and where they are published."""

    dataset: str = Field(description="as 'run --dataset' has it")
    name: str = Field("", description="what tables call it; '': the same")
    title: str = Field("", description="its name in headings; '': as the data set's file says")
    results: str = Field("", description="folder among the results; '': the name")
    train_on: str | None = Field(None, description="as 'run --train-on'")
    splits: str | None = Field(None, description="as 'run --splits'")
    settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="further settings of its runs, by section"
    )
    method_settings: dict[str, dict[str, dict[str, Any]]] = Field(
        default_factory=dict, description="further settings of one method's runs, by method"
    )
    whole: int | None = Field(
        None, description="volumes that a run of the whole data set scores; null: these are whole"
    )

    @field_validator("results")
    @classmethod
    def _free(cls, value: str) -> str:
        if value == FIGURES or "/" in value:
            raise ValueError(f"one folder wanted, and not '{FIGURES}', which is for drawings")
        return value

    @property
    def shown(self) -> str:
        """What tables call it."""
        return self.name or self.dataset

    @property
    def folder(self) -> str:
        """Folder of its published runs, among the results."""
        return self.results or self.shown


class Board(Section):
    """A leaderboard: every method with every seed on every data set, and what stands above and below the tables."""

    title: str
    preface: tuple[str, ...] = Field((), description="paragraphs above the tables, Markdown")
    closing: tuple[str, ...] = Field((), description="paragraphs below them")
    data: tuple[BoardData, ...] = Field(min_length=1)
    methods: tuple[str, ...] = Field(min_length=1, description="cheap ones first: they run first")
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1)
    preset: str = "quick"
    settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="further settings of all runs, by section"
    )

    def layers(self, data: BoardData, method: str) -> list[dict[str, Any]]:
        """Return what is laid over the preset for a method's runs on one of the data sets, weakest first."""
        return [self.settings, data.settings, data.method_settings.get(method, {})]


def board_names() -> list[str]:
    """Return the names of all leaderboards."""
    return names_in(FOLDER)


def read_board(name: str) -> Board:
    """Read a leaderboard's file.

    Parameters
    ----------
    name : str
        Of a file in ``configs/leaderboards``; or the path of one, ending in ``.yaml``.

    Raises
    ------
    UserError
        For a name without a file, with the nearest one; for a key that is unknown or a value that is not valid.
    """
    if name.endswith(".yaml"):
        path = Path(name)
    else:
        path = package_data("configs") / FOLDER / f"{name}.yaml"
        if not path.is_file():
            raise unknown_name("leaderboard", name, board_names())
    return validated(Board, read_yaml(path), str(path))
