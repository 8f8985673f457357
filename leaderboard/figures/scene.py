"""What every figure is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

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
