"""What a per-subject metric is given: one subject's map, and what was detected in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Case:
    """One subject's map at one operating point, or without a threshold.

    Parameters
    ----------
    scores : float32 (X, Y, Z)
        Post-processed anomaly map, higher = more anomalous.
    brain : bool (X, Y, Z)
        Voxels that count.
    lesion : bool (X, Y, Z)
        Lesion voxels in the brain.
    spacing : (float, float, float)
        Voxel edges, mm.
    detection : bool (X, Y, Z), optional
        What counts as detected, small detections removed; None for metrics of the map itself.
    known : mapping, optional
        Results of functions that are known already, see :meth:`shared`.
    """

    def __init__(
        self,
        scores: NDArray[np.float32],
        brain: NDArray[np.bool_],
        lesion: NDArray[np.bool_],
        spacing: tuple[float, float, float],
        detection: NDArray[np.bool_] | None = None,
        known: Mapping[Callable[[Case], Any], Any] | None = None,
    ) -> None:
        self.scores, self.brain, self.lesion, self.spacing = scores, brain, lesion, spacing
        self._detection = detection
        self._known: dict[Callable[[Case], Any], Any] = dict(known or {})

    @property
    def detection(self) -> NDArray[np.bool_]:
        """What is detected, bool (X, Y, Z).

        Raises
        ------
        ValueError
            Where there is no operating point, or the voxels were only counted.
        """
        if self._detection is None:
            raise ValueError("no detection here: the metric is one of the map itself, or of counts")
        return self._detection

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel, ml."""
        return float(np.prod(self.spacing)) / 1000

    def shared(self, function: Callable[[Case], T]) -> T:
        """Return what a function says of this case, computed once however many metrics ask."""
        if function not in self._known:
            self._known[function] = function(self)
        found: T = self._known[function]
        return found
