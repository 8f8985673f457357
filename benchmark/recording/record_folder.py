"""A finished run in one record folder: the record, configuration, loss curve, figures, previews, report."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.metrics.points import RANKING_POINT, UPPER_BOUND
from andi_bench.records.loss_curve import LOSSES
from andi_bench.records.previews import (
    FOLDER,
    choose,
    kept_slices,
    make_preview,
    reduced_levels,
    write_preview,
)
from andi_bench.records.store import write_record
from benchmark.recording.facts import RunFacts
from benchmark.recording.montage import montage, shown_slices
from benchmark.recording.results import Results
from benchmark.recording.run_figures import dice_curves, loss_curve, pr_curve
from benchmark.recording.run_record import run_record
from benchmark.scoring.expected_images import ExpectedImage, Expecter
from benchmark.scoring.map_store import MapStore, ScoredSubject
from benchmark.scoring.scan_views import ScanView, ViewStore
from leaderboard.exports.report.run_report import write_report

FIGURE_SUBJECTS = 12
"""Montages per record; more would make records heavy without telling more."""

QUICK_CALLS = 16
"""Network calls a slice up to which an expected image is made for every slice of a preview; beyond, a long chain to each
of them would cost nearly what the scoring has cost, and the montages alone have it."""


@dataclass(frozen=True)
class Kept:
    """What scoring kept: figures and previews are drawn from it. Only for expected images a scan is opened again.

    Parameters
    ----------
    maps : MapStore
        Anomaly maps, brain and lesion masks.
    views : ViewStore
        What is shown of the scans.
    expecter : Expecter or None
        Gives what the method compared the scans with; None where it compares them with no image.
    """

    maps: MapStore
    views: ViewStore
    expecter: Expecter | None = None


@dataclass(frozen=True)
class _Drawn:
    """One subject as montage and preview draw it: with its post-processed maps by chain."""

    scored: ScoredSubject
    view: ScanView
    maps: dict[str, NDArray[np.float32]]
    expected: ExpectedImage | None = None


def leave_record(
    records: Path,
    facts: RunFacts,
    results: Results,
    kept: Kept,
    console: Console | None = None,
) -> Path:
    """Write the run record, with configuration, loss curve, figures, previews and report, and return its folder.

    Parameters
    ----------
    records : Path
        Folder of the records.
    facts : RunFacts
        The run.
    results : Results
        What was measured.
    kept : Kept
        What scoring kept of the reported subjects.
    console : Console or None
        Where progress is shown while expected images are made, and said why they are left out where one cannot be made.

    Raises
    ------
    UserError
        When the records' folder cannot be written, or a kept file is missing or damaged.
    """
    result = results.working

    def attach(folder: Path) -> None:
        text = yaml.safe_dump(facts.resolved_config(), sort_keys=False, allow_unicode=True)
        (folder / "config.yaml").write_text(text, encoding="utf-8")
        figures = folder / "figures"
        figures.mkdir()
        curve = facts.learning.curve
        if curve is not None and curve.is_file():
            shutil.copyfile(curve, folder / LOSSES)
            loss_curve(figures / "loss.png", folder / LOSSES)
        if result.curves:
            pr_curve(figures / "precision-recall.png", result.curves, result.prevalence)
            dice_curves(figures / "dice-threshold.png", result.sweeps)
        _subject_images(folder, facts, results, kept, console or Console(quiet=True))
        if results.paper is not None:
            for name, table in results.paper.files(facts.info.method).items():
                (folder / name).write_text(table, encoding="ascii")
        write_report(folder, records)

    record = run_record(facts, results)
    return write_record(records, record, results.subjects(), results.histograms(), attach)


def _subject_images(
    folder: Path, facts: RunFacts, results: Results, kept: Kept, console: Console
) -> None:
    """Draw the montages and leave the previews, subject by subject."""
    in_figures = facts.cohorts.test[:FIGURE_SUBJECTS]
    in_previews = _previewed(facts, results)
    subjects = list(dict.fromkeys([*in_figures, *in_previews]))
    expecter = kept.expecter
    shown = console if expecter is not None else Console(quiet=True)
    with shown.progress("expected images", len(subjects)) as advance:
        for subject in subjects:
            figure, preview = subject in in_figures, subject in in_previews
            drawn = _drawn(subject, results, kept)
            if expecter is not None:
                slices = _slices(drawn, results, figure=figure, preview=preview)
                try:
                    image = expecter.image(subject, slices) if slices else None
                    drawn = replace(drawn, expected=image)
                except UserError as error:  # a picture's fault costs nobody the record
                    console.note(f"{error}; figures and previews do without from here on")
                    expecter = None
            if figure:
                _montages(folder / "figures", drawn, facts, results)
            if preview:
                _preview(folder / FOLDER / f"{subject}.npz", drawn, results)
            advance(1, subject)


def _drawn(subject: str, results: Results, kept: Kept) -> _Drawn:
    scored, view = kept.maps.load(subject), kept.views.load(subject)
    maps = {
        chain.name: chain.apply(scored.map, scored.brain, scored.spacing)
        for chain in results.working.chains
    }
    return _Drawn(scored, view, maps)


def _slices(drawn: _Drawn, results: Results, *, figure: bool, preview: bool) -> set[int]:
    """Return the slices that are drawn of a subject, in which the expected image is wanted."""
    slices: set[int] = set()
    if figure:
        for chain, scores in drawn.maps.items():
            slices |= set(shown_slices(drawn.scored, scores, _threshold(results, chain)))
    if preview and _quick(drawn.scored):
        slices |= set(kept_slices(drawn.scored.brain))
    return slices


def _quick(scored: ScoredSubject) -> bool:
    calls, slices = (scored.costs.get(name, 0) for name in ("network_calls", "slices"))
    return calls <= QUICK_CALLS * slices


def _threshold(results: Results, chain: str) -> float | None:
    point = results.working.operating_points[chain].get(RANKING_POINT.name)
    return point.threshold if point else None


def _montages(folder: Path, drawn: _Drawn, facts: RunFacts, results: Results) -> None:
    subject = drawn.scored.subject
    for chain, scores in drawn.maps.items():
        montage(
            folder / f"{subject}_{chain}.png",
            drawn.view,
            drawn.scored,
            scores,
            _threshold(results, chain),
            f"{facts.info.label}, {chain}, {facts.info.dataset} {subject}",
            drawn.expected,
        )


def _previewed(facts: RunFacts, results: Results) -> list[str]:
    """Choose the subjects of the previews, by lesion volume and by the mean Dice of the chains."""
    most = facts.config.evaluation.previews
    table = results.working.subjects
    point = RANKING_POINT.name
    if not (table["point"] == point).any():  # without a validation split nothing is frozen
        point = UPPER_BOUND.name
    lines = table[table["point"] == point]
    volumes: dict[str, float] = {}
    dice: dict[str, list[float]] = {}
    for name, ml, value in zip(lines["subject"], lines["lesion_ml"], lines["dice"], strict=True):
        volumes[name] = ml
        if ml > 0:
            dice.setdefault(name, []).append(value)
    means = {name: sum(values) / len(values) for name, values in dice.items()}
    return choose(facts.cohorts.test, volumes, means, most) if most else []


def _preview(path: Path, drawn: _Drawn, results: Results) -> None:
    scored, view, expected = drawn.scored, drawn.view, drawn.expected
    first, *others = view.modalities
    levels = dict(zip(others, view.images[1:], strict=True))
    if expected is not None and _quick(scored):
        levels[f"expected ({expected.modality})"] = expected.levels
    preview = make_preview(
        {first: view.reduced}
        | {name: reduced_levels(image, view.box, scored.brain) for name, image in levels.items()},
        scored.brain,
        scored.lesion if scored.lesion is not None else np.zeros_like(scored.brain),
        drawn.maps,
        {
            chain: [point.threshold for point in found.values() if point.threshold is not None]
            for chain, found in results.working.operating_points.items()
        },
        scored.spacing,
    )
    write_preview(path, preview)
