"""Histogram-equalised T2: a brightness that no method should fall behind where fluid is what is bright."""

from __future__ import annotations

from methods.base import register
from methods.baselines.thresholding import Thresholding

__all__ = ["T2Intensity"]


@register("t2-intensity")
class T2Intensity(Thresholding):
    """T2 in place of FLAIR, otherwise as :class:`~methods.baselines.thresholding.Thresholding`.

    On T2 the ventricles and sulci are as bright as lesions: what it lacks beside FLAIR is what suppressing fluid is worth.
    """

    recipe = 1
    draws = ()
    requires = ("t2",)
