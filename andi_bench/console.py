"""What a person sees while the work goes on: rich bars on a terminal, plain lines elsewhere.

Progress and notes go to stderr, results (tables, JSON) to stdout.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from andi_bench.errors import UserError

Advance = Callable[[int, str], None]
_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}


def in_words(seconds: float) -> str:
    """Return a duration: ``40 s``, ``12 min``, ``3.5 h``, ``4.2 days``."""
    for size, unit, most in ((1, "s", 120), (60, "min", 7200), (3600, "h", 172_800)):
        if seconds < most:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86_400:.3g} days"


def read_duration(text: str, where: str) -> float:
    """Return the seconds of ``2h``, ``30m``, ``90s``, ``1h30m`` or ``2d``.

    Parameters
    ----------
    text : str
        What was written.
    where : str
        Option or field, for the message.

    Raises
    ------
    UserError
        For anything else, and for 0.
    """
    wanted = re.fullmatch(r"(?:\d+(?:\.\d+)?[dhms])+", text.strip())
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", text) if wanted else []
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds <= 0:
        raise UserError(f"{where} {text}: a time wanted, such as 2h, 30m, 90s or 1h30m")
    return seconds


def program() -> str:
    """Return how this command was called, for commands that are proposed: by its own name, or as a module."""
    called = Path(sys.argv[0])
    if called.name == "andi-bench":
        return "andi-bench"
    return f"python -m {'andi_bench' if called.parent.name == 'andi_bench' else 'benchmark'}"


class Console:
    """Notes and progress bars.

    Parameters
    ----------
    quiet : bool
        Say nothing; so do all processes but the first of a multi-process run.
    interval : float
        Seconds between two lines of one progress where there is no terminal.
    outlook : callable, optional
        From the seconds that a progress still needs to what is said of the whole command beside it; "" for nothing.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        interval: float = 20.0,
        outlook: Callable[[float], str] | None = None,
    ) -> None:
        self.quiet = quiet
        self.interval = interval
        self.outlook = outlook

    def note(self, text: str) -> None:
        """Say one thing."""
        if not self.quiet:
            from rich.console import Console as RichConsole
            from rich.markup import escape

            RichConsole(stderr=True, highlight=False, soft_wrap=True).print(escape(text))

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Advance]:
        """Show how far a loop has come.

        Parameters
        ----------
        title : str
            What is done.
        total : int
            Number of items.

        Yields
        ------
        callable
            To be called with the number of items done since the last call, and a short text or "".
        """
        if self.quiet:
            yield lambda count, text: None
        elif sys.stderr.isatty():
            with self._bar(title, total) as advance:
                yield advance
        else:
            yield self._lines(title, total)

    @contextmanager
    def reporting(self) -> Iterator[Callable[[str, int, int], None]]:
        """Yield a function that takes (what is done, how many are done, of how many)."""
        with ExitStack() as stack:
            bars: dict[str, tuple[Advance, int]] = {}

            def report(title: str, done: int, total: int) -> None:
                if title not in bars:
                    bars[title] = (stack.enter_context(self.progress(title, total)), 0)
                advance, shown = bars[title]
                advance(done - shown, "")
                bars[title] = (advance, done)
                if done >= total:  # only one rich bar lives at a time
                    stack.close()
                    bars.clear()

            yield report

    @contextmanager
    def _bar(self, title: str, total: int) -> Iterator[Advance]:
        from rich.console import Console as RichConsole
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[whole]}"),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=RichConsole(stderr=True)) as bar:
            task = bar.add_task(title, total=total, note="", whole="")

            def advance(count: int, text: str) -> None:
                left = bar.tasks[task].time_remaining or 0.0
                bar.update(task, advance=count, note=text, whole=self._whole(left))

            yield advance

    def _whole(self, left: float) -> str:
        return self.outlook(left) if self.outlook is not None else ""

    def _lines(self, title: str, total: int) -> Advance:
        start = last = time.monotonic()
        done = 0

        def advance(count: int, text: str) -> None:
            nonlocal last, done
            done += count
            now = time.monotonic()
            if done < total and now - last < self.interval:
                return
            last = now
            left = (now - start) / max(done, 1) * (total - done)
            tail = f", {text}" if text else ""
            when = f"{now - start:.0f} s" + (f", {left:.0f} s left" if done < total else "")
            whole = self._whole(left)
            when += f"; {whole}" if whole else ""
            print(f"{title}: {done}/{total}{tail} ({when})", file=sys.stderr, flush=True)

        return advance
