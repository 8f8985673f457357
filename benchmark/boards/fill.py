"""Make the runs that a leaderboard lacks, one by one: each is run, published and shown before the next begins."""

from __future__ import annotations

import time
import traceback
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from accelerate import PartialState

from andi_bench.console import Console, in_words
from andi_bench.errors import UserError
from andi_bench.workspace import Workspace
from benchmark.run.detector_source import DetectorSource
from benchmark.run.request import DeviceName, RunRequest
from benchmark.run.stages import Run
from benchmark.run.time_left import Planned, TimeLeft, speeds_of
from benchmark.training.trainer import Interrupted
from leaderboard.publishing.boards import Board
from leaderboard.publishing.missing import Expected, note_failure
from leaderboard.publishing.outdated import runs_to_make
from leaderboard.publishing.publish import publish
from leaderboard.publishing.rebuild import RESULTS, published_runs, rebuild
from leaderboard.publishing.told import Wish

_SHARE = 0.05
"""Of the time: tables and figures are drawn again so often that it takes no more."""


@dataclass(frozen=True)
class Place:
    """Where a leaderboard is made.

    Parameters
    ----------
    leaderboards : Path
        Folder of the leaderboards, with the results in it.
    workspace : Workspace
        Of the runs.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    workers : int or None
        Processes; None: one a core.
    debug : bool
        Whether the traceback of a run that fails is shown.
    """

    leaderboards: Path
    workspace: Workspace
    device: DeviceName = "auto"
    workers: int | None = None
    debug: bool = False


def fill(name: str, board: Board, place: Place, console: Console) -> int:
    """Run what a leaderboard lacks, publish each run as it is finished, and rebuild the leaderboard.

    What is finished in the workspace is found again, and what is published is not run: the same command goes on where it
    was stopped. A run that fails is noted with the reason, and the others go on.

    Parameters
    ----------
    name : str
        Of the leaderboard's file.
    board : Board
        The leaderboard.
    place : Place
        Where.
    console : Console
        Where to say how far it is.

    Returns
    -------
    int
        How many runs failed.

    Raises
    ------
    UserError
        For published runs that are damaged, and for a data set that no method can be run on, before any work is done.
    """
    runs = published_runs(board, place.leaderboards)
    wanted = runs_to_make(board, runs)
    again = {(run.data.shown, run.method, run.seed) for run in wanted}
    stand = [
        run for run in runs.records if (run.run.dataset, run.run.method, run.run.seed) not in again
    ]
    planned = [Planned(run.method, run.data.shown, run.seed) for run in wanted]
    speeds = speeds_of(place.workspace, place.device) if planned else []
    left, failed = TimeLeft(planned, stand, board.preset, speeds=speeds), 0
    _require_data(board, wanted, place)
    drawn = _Drawn(name, board, place, console)
    for run in wanted:
        console.note(f"next          {named(run)} ({left.in_words()})")
        begun = time.monotonic()
        left.begin()
        reason = _done(run, board, place, Console(outlook=left.outlook))
        if PartialState().is_main_process:
            note_failure(board, run, place.leaderboards / RESULTS, reason)
        left.finish(time.monotonic() - begun, reason is None)
        failed += reason is not None
        said = "published" if reason is None else f"failed: {reason}"
        console.note(f"{named(run)}: {said}, took {in_words(time.monotonic() - begun)}")
        drawn.again()
    drawn.again(at_once=True)
    return failed


def named(run: Expected) -> str:
    """Return a run in words."""
    return f"{run.method} on {run.data.shown}, seed {run.seed}"


class _Drawn:
    """The leaderboard's files, which are written again as runs are added."""

    def __init__(self, name: str, board: Board, place: Place, console: Console) -> None:
        self._name, self._board, self._place, self._console = name, board, place, console
        self._next = 0.0

    def again(self, *, at_once: bool = False) -> None:
        """Rebuild, unless that would take too much of the time."""
        begun = time.monotonic()
        if PartialState().is_main_process and (at_once or begun >= self._next):
            rebuild(self._name, self._board, self._place.leaderboards, self._console)
            ended = time.monotonic()
            self._next = ended + (ended - begun) / _SHARE


def _done(run: Expected, board: Board, place: Place, console: Console) -> str | None:
    """Do a run and publish it; return why it failed, None where it did not."""
    try:
        source = DetectorSource(_request(run, board, place), console)
        outcome = Run(source, console).outcome()
        if outcome.record is None:
            return "no lesion mask is known, so nothing was measured"
        if PartialState().is_main_process:
            results = place.leaderboards / RESULTS / run.data.folder
            wish = Wish(dataset=run.data.name, title=run.data.title)
            publish(outcome.record, results, wish, replace=True)
    except Interrupted:
        raise
    except UserError as error:
        return str(error)
    except Exception as error:  # whatever goes wrong in one method, the others are measured
        if place.debug:
            traceback.print_exc()
        first = (str(error).splitlines() or [""])[0]
        return f"{type(error).__name__}: {first}"
    return None


def _request(run: Expected, board: Board, place: Place) -> RunRequest:
    data = run.data
    return RunRequest(
        method=run.method,
        dataset=data.dataset,
        workspace=place.workspace,
        train_on=data.train_on,
        preset=board.preset,
        seed=run.seed,
        splits=Path(data.splits) if data.splits is not None else None,
        overrides=board.layers(data, run.method),
        device=place.device,
        workers=place.workers,
    )


def _require_data(board: Board, missing: Sequence[Expected], place: Place) -> None:
    """Find out before any work whether the data sets are there: then some method can be set up on each.

    Raises
    ------
    UserError
        What keeps the last method from it, where none can.
    """
    first: dict[str, list[Expected]] = defaultdict(list)
    for run in missing:
        if run.seed == missing[0].seed:
            first[run.data.shown].append(run)
    for runs in first.values():
        for number, run in enumerate(runs, start=1):
            try:
                source = DetectorSource(_request(run, board, place), Console(quiet=True))
                source.data_sets.look()
                break
            except UserError:
                if number == len(runs):
                    raise
