"""Metrics that come in series, by size of lesion, tolerance or rate, and those of whole scans: entries of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from andi_bench.metrics import lesionwise, scan_level, surface
from andi_bench.metrics.froc import RATES
from andi_bench.metrics.metric import Metric

COUNTED = "it is counted over lesions, and subjects are the blocks of the tests"
SILENCE = "it rewards maps that find nothing"


def stratified() -> Iterator[Metric]:
    """Yield what ``subjects.csv`` has of each size of lesion, and the sensitivity, counted over all lesions of the size."""
    for stratum in lesionwise.STRATA:
        for key, which, measure in (
            ("lesions", "", lesionwise.stratum_lesions),
            ("lesions_found", " that were found", lesionwise.stratum_found),
        ):
            yield Metric(
                key=f"{key} {stratum}",
                title=f"Lesions{' found' if which else ''} {stratum}",
                definition=f"Number of lesions {stratum}{which}.",
                counts=True,
                measure=partial(measure, stratum=stratum),
                shown=frozenset(),
                counted=False,
            )
        yield Metric(
            key=f"lesion_sensitivity {stratum}",
            title=f"Lesion sensitivity {stratum}",
            definition=f"Share of all subjects' lesions {stratum} that were found (a tenth of one is detected).",
            unranked=COUNTED,
            over="lesion",
            ratio=((f"lesions_found {stratum}",), (f"lesions {stratum}",)),
            shown=frozenset({"exports"}),
        )


def near() -> Iterator[Metric]:
    """Yield the normalised surface distance at each tolerance."""
    for limit in surface.TOLERANCES_MM:
        yield Metric(
            key=f"nsd{limit:g}",
            title=f"NSD {limit:g} mm",
            definition=f"Share of the two surfaces' voxels within {limit:g} mm of the other surface; nothing detected: 0.",
            over="lesion",
            measure=partial(surface.nsd, tolerance=limit),
            shown=frozenset({"exports"}),
        )


def of_scans() -> Iterator[Metric]:
    """Yield the score of a scan, and how well it tells scans with a lesion from those without."""
    highest = f"{scan_level.HIGHEST_ML:g} ml"
    yield Metric(
        key="scan_score",
        title="Scan score",
        definition=f"Mean of the highest {highest} of the processed map in the brain.",
        counts=True,
        at="map",
        measure=scan_level.scan_score,
        shown=frozenset(),
        counted=False,
    )
    yield Metric(
        key="scan_auroc",
        title="Scan AUROC",
        definition=(
            "How often a subject with a lesion has a higher scan score than one without, of all such pairs: the scan score is "
            f"the mean of the highest {highest} of the processed map. In brackets the 95 % interval (DeLong)."
        ),
        unranked="it tells scans apart, and does not ask where the lesion is",
        over="scans",
        at="map",
        shown=frozenset({"exports", "column"}),
        priority=8,
    )


def at_rates() -> Iterator[Metric]:
    """Yield the sensitivity of the FROC curve at each rate of false positives."""
    for rate in RATES:
        yield Metric(
            key=f"froc_{rate:g}",
            title=f"FROC, {rate:g} FP/scan",
            definition=(
                f"Share of all subjects' lesions found (one to one, IoU > {lesionwise.MATCHING_IOU:g}) with at most {rate:g} "
                "false-positive lesions per scan, at the threshold that is best for it on these subjects; in brackets the 95 % "
                "interval."
            ),
            unranked=COUNTED,
            over="lesions",
            at="map",
            shown=frozenset({"exports", "column"}),
            priority=8 if rate == 1 else 12,
        )
