"""What every figure is drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from andi_bench.metrics.mean_intervals import FEWEST
from andi_bench.metrics.points import RANKING
from leaderboard.figures.style import Looks, short
from leaderboard.statistics.family import TableStatistics
from leaderboard.tables.parts import volumes_of
from leaderboard.tables.pipelines import VALIDATED, kind_of, view_in_words
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table


@dataclass(frozen=True)
class Scene:
    """What a figure is drawn from.

    Parameters
    ----------
    table : Table
        Of the leaderboard.
    statistics : TableStatistics
        The table's.
    looks : Looks
        Colours and marks of the methods.
    """

    table: Table
    statistics: TableStatistics
    looks: Looks

    @property
    def rows(self) -> list[Row]:
        """The ranked rows, one a method, best first."""
        return [row for row in self.table.rows if row.rank is not None]

    @property
    def volumes(self) -> dict[str, float]:
        """The lesion volume of every subject that some row was measured on, ml; {} where records do not say."""
        return volumes_of(self.table)

    @property
    def whom(self) -> str:
        """Whom the rows are measured on, how many seeds they have, and which maps: the last sentence of a caption."""
        parts = [f"{self.table.title or self.table.dataset}, {self.table.split}: {self._counted()}"]
        seeds = sorted({len(row.runs) for row in self.rows if row.chance})
        if seeds:
            number = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
            parts.append(f"{number} {'seeds' if seeds[-1] > 1 else 'seed'}")
        return "; ".join([*parts, self.maps])

    def _counted(self) -> str:
        volumes = self.volumes
        if not volumes:
            most = max((len(row.values.get(RANKING, {})) for row in self.rows), default=0)
            return f"n = {most}"
        ill = sum(volume > 0 for volume in volumes.values())
        free = len(volumes) - ill
        return f"n = {ill} with a lesion" + (f", {free} without" if free else "")

    def interval(self, key: str) -> str:
        """Return whether a figure of the table has intervals to be drawn, in words that follow *mean*.

        Parameters
        ----------
        key : str
            Of the figure, as in CSV and JSON.
        """
        drawn = [row.figures[key].low is not None for row in self.rows]
        if any(drawn):
            return "with its 95 % interval" + ("" if all(drawn) else " where there is one")
        most = max((len(row.values.get(key, {})) for row in self.rows), default=0)
        few = f": of fewer than {FEWEST} subjects there is none"
        return "without an interval" + (few if most < FEWEST else "")

    @property
    def maps(self) -> str:
        """Which pipelines stand in the rows."""
        if self.table.view == VALIDATED and len(self.table.views) > 1:
            return "pipelines chosen on validation"
        return view_in_words(self.table.view, self.table.protocol)

    def name(self, label: str) -> str:
        """Return a method's name as it stands beside an axis; with ``raw`` or ``filtered`` where methods differ in that."""
        pipelines = {row.label: row.chain for row in self.table.rows}
        if len(set(pipelines.values())) == 1:
            return short(label)
        return f"{short(label)}, {kind_of(pipelines[label], self.table.protocol)}"


def looks_of(tables: Iterable[Table]) -> Looks:
    """Return how the methods of some tables look.

    Parameters
    ----------
    tables : iterable of Table
        All that are drawn together. Where one of them has a method twice, under two labels, only the row that is called
        like the method (else the first by alphabet) looks as the method does elsewhere.
    """
    names: dict[str, str] = {}
    twice: set[str] = set()
    references: set[str] = set()
    for table in tables:
        found = {row.label: row for row in (*table.rows, *table.every, *table.references)}
        shown: set[str] = set()
        for label in sorted(found, key=lambda label: (label != found[label].method, label)):
            names[label] = found[label].method
            if names[label] in shown:
                twice.add(label)
            shown.add(names[label])
        references |= {label for label, row in found.items() if row.reference}
    names |= {label: label for label in twice}
    return Looks(names, names, {names[label] for label in references})
