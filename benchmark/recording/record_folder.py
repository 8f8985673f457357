"""A finished run in one record folder: the record, configuration, loss curve, figures, previews, report."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from andi_bench.metrics.points import RANKING_POINT, UPPER_BOUND
from andi_bench.records.previews import FOLDER, choose, make_preview, reduced_levels, write_preview
from andi_bench.records.store import write_record
from benchmark.recording.facts import RunFacts
from benchmark.recording.montage import montage
from benchmark.recording.results import Results
from benchmark.recording.run_figures import dice_curves, loss_curve, pr_curve
from benchmark.recording.run_record import run_record
from benchmark.scoring.map_store import MapStore
from benchmark.scoring.scan_views import ViewStore
from leaderboard.exports.report.run_report import write_report

FIGURE_SUBJECTS = 12
"""Montages per record; more would make records heavy without telling more."""


@dataclass(frozen=True)
class Kept:
    """What scoring kept: figures and previews are drawn from it, and no scan is opened.

    Parameters
    ----------
    maps : MapStore
        Anomaly maps, brain and lesion masks.
    views : ViewStore
        What is shown of the scans.
    """

    maps: MapStore
    views: ViewStore


def leave_record(records: Path, facts: RunFacts, results: Results, kept: Kept) -> Path:
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
            shutil.copyfile(curve, folder / "loss.csv")
            loss_curve(figures / "loss.png", folder / "loss.csv")
        if result.curves:
            pr_curve(figures / "precision-recall.png", result.curves, result.prevalence)
            dice_curves(figures / "dice-threshold.png", result.sweeps)
        for subject in facts.cohorts.test[:FIGURE_SUBJECTS]:
            _montages(figures, subject, facts, results, kept)
        for subject in _previewed(facts, results):
            _preview(folder / FOLDER / f"{subject}.npz", subject, results, kept)
        if results.paper is not None:
            for name, table in results.paper.files(facts.info.method).items():
                (folder / name).write_text(table, encoding="ascii")
        write_report(folder, records)

    record = run_record(facts, results)
    return write_record(records, record, results.subjects(), results.histograms(), attach)


def _montages(folder: Path, subject: str, facts: RunFacts, results: Results, kept: Kept) -> None:
    scored, view = kept.maps.load(subject), kept.views.load(subject)
    for chain in results.working.chains:
        point = results.working.operating_points[chain.name].get(RANKING_POINT.name)
        montage(
            folder / f"{subject}_{chain.name}.png",
            view,
            scored,
            chain.apply(scored.map, scored.brain, scored.spacing),
            point.threshold if point else None,
            f"{facts.info.label}, {chain.name}, {facts.info.dataset} {subject}",
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


def _preview(path: Path, subject: str, results: Results, kept: Kept) -> None:
    scored = kept.maps.load(subject)
    result = results.working
    view = kept.views.load(subject)
    first, *others = view.modalities
    preview = make_preview(
        {first: view.reduced}
        | {
            name: reduced_levels(image, view.box, scored.brain)
            for name, image in zip(others, view.images[1:], strict=True)
        },
        scored.brain,
        scored.lesion if scored.lesion is not None else np.zeros_like(scored.brain),
        {
            chain.name: chain.apply(scored.map, scored.brain, scored.spacing)
            for chain in result.chains
        },
        {
            chain: [point.threshold for point in found.values() if point.threshold is not None]
            for chain, found in result.operating_points.items()
        },
        scored.spacing,
    )
    write_preview(path, preview)
