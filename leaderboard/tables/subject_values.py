"""What each subject got: a record's ``subjects.csv``, read without a table library."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from andi_bench.errors import UserError, reason
from andi_bench.metrics.metric import MetricAt
from andi_bench.names import counted
from andi_bench.records.schema import LESION_ML
from andi_bench.records.store import GRID, KEYS, RunRecord
from andi_bench.records.table_file import opened_table, table_path


class SubjectTable:
    """Per-subject figures of one record on one of its grids.

    Parameters
    ----------
    lines : dict
        (chain, operating point) to (subject, cells); cells are text, "" where undefined.
    columns : dict
        Name of a column to its place among the cells.
    """

    def __init__(
        self,
        lines: dict[tuple[str, str], list[tuple[str, list[str]]]],
        columns: dict[str, int],
    ) -> None:
        self._lines = lines
        self._columns = columns
        self._found: dict[tuple[str, str, str], dict[str, float]] = {}
        self._subjects: dict[tuple[str, str], set[str]] = {}

    def values(self, chain: str, found: MetricAt) -> dict[str, float]:
        """Return a metric by subject, without the subjects that it is undefined for or no mean over.

        Parameters
        ----------
        chain : str
            Post-processing.
        found : MetricAt
            A metric of the subjects.
        """
        metric, point = found.metric, found.point
        values = self.column(chain, metric.field, point.name if point is not None else "")
        if metric.over not in ("lesion", "lesion-free"):
            return values
        own = self._over(chain, metric.over)
        return {name: value for name, value in values.items() if name in own}

    def undefined(self, chain: str, found: MetricAt) -> int:
        """Return for how many of the subjects that a metric is a mean over it has no value."""
        own = self._over(chain, found.metric.over)
        return len(own - self.values(chain, found).keys())

    def _over(self, chain: str, over: str) -> set[str]:
        """Return the subjects with a lesion, or without one; all of the others' table, where it does not say."""
        if (chain, over) not in self._subjects:
            lines = next((part for key, part in self._lines.items() if key[0] == chain), [])
            volumes = self.column(chain, LESION_ML)
            wanted = {"lesion": (True,), "lesion-free": (False,)}.get(over, (True, False))
            self._subjects[chain, over] = {
                name
                for name, _ in lines
                if (volumes[name] > 0 if name in volumes else over != "lesion-free") in wanted
            }
        return self._subjects[chain, over]

    def sums(self, chain: str, found: MetricAt) -> dict[str, tuple[float, float]]:
        """Return for each subject with a lesion what a counted metric divides, and by what, where that is not 0.

        Parameters
        ----------
        chain : str
            Post-processing.
        found : MetricAt
            A metric that has a ``ratio``.
        """
        assert found.metric.ratio is not None
        point = found.point.name if found.point is not None else ""
        parts = [
            [self.column(chain, name, point) for name in names] for names in found.metric.ratio
        ]
        volumes = self.column(chain, LESION_ML)
        columns = [column for side in parts for column in side]
        known = set.intersection(*map(set, columns))
        names = [name for name, volume in volumes.items() if volume > 0 and name in known]
        part, whole = (
            map(math.fsum, zip(*([column[name] for name in names] for column in side), strict=True))
            for side in parts
        )
        return {
            name: (above, below)
            for name, above, below in zip(names, part, whole, strict=True)
            if below
        }

    def column(self, chain: str, name: str, point: str = "") -> dict[str, float]:
        """Return a column of numbers by subject, without undefined ones.

        Parameters
        ----------
        chain : str
            Post-processing.
        name : str
            Of the column.
        point : str
            Operating point; "" for what has the same value at all of them.
        """
        key = (chain, point, name)
        if key not in self._found:
            self._found[key] = self._read(*key)
        return self._found[key]

    def _read(self, chain: str, point: str, name: str) -> dict[str, float]:
        place = self._columns.get(name)
        # figures without a threshold stand on every line of the subject: any point will do
        keys = [key for key in self._lines if key[0] == chain and key[1] == (point or key[1])]
        if place is None or not keys:
            return {}
        found = {}
        for subject, cells in self._lines[keys[0]]:
            text = cells[place]
            if not text:
                continue
            try:
                value = float(text)
            except ValueError:
                continue
            if math.isfinite(value):
                found[subject] = value
        return found

    def only(self, subjects: Collection[str]) -> SubjectTable:
        """Return the table of some of the subjects."""
        kept = set(subjects)
        lines = {
            key: [line for line in part if line[0] in kept] for key, part in self._lines.items()
        }
        return SubjectTable(lines, self._columns)


def read_subject_table(folder: Path, grid: str) -> SubjectTable:
    """Read a record's table of subjects on one grid.

    Raises
    ------
    UserError
        When it cannot be read or lacks one of its key columns.
    """
    path = table_path(folder)
    lines: dict[tuple[str, str], list[tuple[str, list[str]]]] = {}
    try:
        with opened_table(folder) as file:
            reader = csv.reader(file)
            columns = {name: place for place, name in enumerate(next(reader, []))}
            for key in KEYS:
                if key not in columns:
                    raise UserError(f"{path}: no column '{key}'")
            subject, chain, point = (columns[key] for key in KEYS)
            for cells in reader:
                if len(cells) != len(columns):
                    raise UserError(
                        f"{path}: line {reader.line_num} has {counted(len(cells), 'cell')}, {len(columns)} wanted"
                    )
                if GRID in columns and cells[columns[GRID]] != grid:
                    continue
                place = (cells[chain], cells[point])
                lines.setdefault(place, []).append((cells[subject], cells))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({reason(error)})") from error
    return SubjectTable(lines, columns)


def subject_tables(runs: Sequence[RunRecord]) -> list[SubjectTable]:
    """Read the tables of the runs that were read from a folder.

    Raises
    ------
    UserError
        When a table cannot be read.
    """
    return [
        read_subject_table(run.folder, run.protocol.grid) for run in runs if run.folder is not None
    ]


class ByName(Mapping[str, float]):
    """Numbers by name, in an array: a dict of a thousand subjects takes eight times as much, and tables hold many.

    Parameters
    ----------
    names : tuple of str
        Of the subjects; each once.
    numbers : iterable of float
        One a name.
    """

    __slots__ = ("_numbers", "_places")

    def __init__(self, names: tuple[str, ...], numbers: Iterable[float]) -> None:
        self._places = _places_of(names)
        self._numbers = array("d", numbers)

    def __getitem__(self, name: str) -> float:
        return self._numbers[self._places[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._numbers)


@lru_cache(maxsize=32)
def _places_of(names: tuple[str, ...]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def over_the_seeds(seeds: Sequence[dict[str, float]]) -> Mapping[str, float]:
    """Average each subject's values over the seeds; only subjects for which every seed has one, by name."""
    if not seeds:
        return {}
    subjects = tuple(sorted(set.intersection(*map(set, seeds))))
    columns = ([values[name] for name in subjects] for values in seeds)
    return ByName(subjects, [math.fsum(line) / len(seeds) for line in zip(*columns, strict=True)])
