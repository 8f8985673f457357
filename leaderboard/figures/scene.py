"""What every figure is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

from leaderboard.figures.style import Looks, short
from leaderboard.statistics.family import TableStatistics
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
    def shows(self) -> str:
        """Which pipelines stand in the rows, as a panel's title."""
        if self.table.view == VALIDATED and len(self.table.views) > 1:
            return "pipelines chosen on validation"
        return view_in_words(self.table.view, self.table.protocol)

    def name(self, label: str) -> str:
        """Return a method's name as it stands beside an axis; with ``raw`` or ``filtered`` where methods differ in that."""
        pipelines = {row.label: row.chain for row in self.table.rows}
        if len(set(pipelines.values())) == 1:
            return short(label)
        return f"{short(label)}, {kind_of(pipelines[label], self.table.protocol)}"
