"""Poisson image interpolation: foreign patches without a seam.

Tan et al., Detecting Outliers with Poisson Image Interpolation, MICCAI 2021 (arXiv 2107.02622).
"""

from __future__ import annotations

from methods.base import register
from methods.baselines.fpi import PatchRegression

__all__ = ["PII"]


@register("pii")
class PII(PatchRegression):
    """As ``fpi``, with patches blended into the slice: a network cannot find them by their edge."""

    recipe = 1
    draws = ("training",)
    blend = True
