"""What every figure is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

from leaderboard.figures.style import Looks
from leaderboard.statistics.family import TableStatistics
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
    def chains(self) -> list[str]:
        """Chains that have a ranked row."""
        return [chain for chain in self.table.protocol.chains if self.rows(chain)]

    def rows(self, chain: str) -> list[Row]:
        """Return the ranked rows of a chain, best first."""
        return [row for row in self.table.rows if row.chain == chain and row.rank is not None]

    @property
    def most_rows(self) -> int:
        """Ranked rows of the chain that has most."""
        return max((len(self.rows(chain)) for chain in self.chains), default=0)
