"""How long a search may go on."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

from andi_bench.names import counted


@dataclass
class Budget:
    """What a call may use.

    Parameters
    ----------
    seconds : float or None
        Of this call; None: any.
    trials : int or None
        Of the whole search, beside trial 0; None: any.
    """

    seconds: float | None
    trials: int | None
    _started: float = field(default_factory=time.monotonic)

    def spent(self, tried: int, took: list[float]) -> str | None:
        """Return why no further trial is started; None where one may be.

        Parameters
        ----------
        tried : int
            Trials of the search so far, beside trial 0.
        took : list of float
            Seconds of those that came to a figure: a trial that by their median would end too late is not started.
        """
        if self.trials is not None and tried >= self.trials:
            return f"{counted(tried, 'trial is', 'trials are')} done"
        if self.seconds is None:
            return None
        used = time.monotonic() - self._started
        usual = statistics.median(took) if took else 0.0
        if used + usual > self.seconds:
            return f"{used:.0f} s of {self.seconds:.0f} s are used, and a trial takes some {usual:.0f} s"
        return None
