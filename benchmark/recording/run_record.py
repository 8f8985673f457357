"""The record of a run: what was measured, beside where it comes from and what guards it."""

from __future__ import annotations

from andi_bench.names import counted
from andi_bench.records.loss_curve import read_losses, still_falling
from andi_bench.records.settings import LATER_OPTIONS
from andi_bench.records.store import (
    DataInfo,
    GridResults,
    GuardResult,
    MethodInfo,
    Protocol,
    RunRecord,
    identity,
)
from andi_bench.records.summaries import FALLING
from benchmark.evaluation.protocol import VERSION, Evaluation
from benchmark.recording.facts import LearningFacts, MethodFacts, RunFacts
from benchmark.recording.guards import Guard
from benchmark.recording.provenance import provenance
from benchmark.recording.results import Results
from datasets.adapters.catalogue import find_entry

ENOUGH_VALIDATION = 4
"""Subjects of the validation split below which the leaderboard's notes say how few they are."""


def run_record(facts: RunFacts, results: Results) -> RunRecord:
    """Return the record of a run: the content of its ``record.json``.

    Parameters
    ----------
    facts : RunFacts
        The run.
    results : Results
        What was measured.

    Raises
    ------
    UserError
        When the loss curve is damaged.
    """
    result, cohorts = results.working, facts.cohorts
    shared = [*facts.notes, *_learning(facts.learning), *_few(len(cohorts.val))]
    if cohorts.unlabelled:
        shared.append(
            f"{counted(cohorts.unlabelled, 'subject')} without a lesion mask: scored only"
        )
    return RunRecord(
        run=facts.info,
        protocol=_protocol(facts, results),
        method=_method(facts.method),
        data=_data(facts),
        guards=tuple(GuardResult(**guard.record()) for guard in [*facts.guards, *_rules(facts)]),
        operating_points=result.operating_points,
        summary=result.summary,
        groups=result.groups,
        references=result.references,
        native=_grid_results(results.native, shared) if results.native else None,
        lesions=result.lesions,
        paper=results.paper.record() if results.paper else None,
        costs=facts.costs.model_copy(update=result.costs),
        training=facts.learning.report,
        config=facts.resolved_config(),
        provenance={
            **provenance(),
            "data": facts.cohorts.place,
            **({"arithmetic": facts.arithmetic} if facts.arithmetic else {}),
            **({LATER_OPTIONS: list(facts.method.later)} if facts.method.later else {}),
        },
        notes=(*result.notes, *shared),
        unranked=result.unranked,
    )


def _protocol(facts: RunFacts, results: Results) -> Protocol:
    evaluation, cohorts, spacing = facts.config.evaluation, facts.cohorts, results.working.spacing
    filtered = results.working.chains[-1]
    return Protocol(
        version=VERSION,
        spacing_mm=spacing,
        shape=results.working.shape,
        chains=tuple(chain.name for chain in results.working.chains),
        median_mm=filtered.median_mm(spacing),
        median_voxels=filtered.window(spacing) if spacing else None,
        erosion=evaluation.erosion,
        min_component_ml=evaluation.min_component_ml,
        split_fingerprint=identity(
            {
                name: sorted(f"{i}:{cohorts.fingerprints[i]}" for i in ids)
                for name, ids in (("val", cohorts.val), ("test", cohorts.test))
            }
        ),
        data_fingerprint=identity(cohorts.files) if cohorts.files else "",
        subjects={"val": len(cohorts.val), facts.info.split: len(cohorts.test)},
    )


def _method(method: MethodFacts) -> MethodInfo:
    if method.entry is None:
        return MethodInfo(calibration=method.calibration)
    return MethodInfo(
        title=method.entry.title,
        paper=method.entry.paper,
        year=method.entry.year,
        family=method.entry.family,
        learns_from=method.entry.learns_from,
        chance=method.entry.chance,
        calibration=method.calibration,
    )


def _data(facts: RunFacts) -> DataInfo:
    return DataInfo(
        title=find_entry(facts.info.dataset).title,
        trained_on=facts.learning.dataset,
        healthy_source=_healthy_source(facts.learning),
        fingerprints=dict(sorted(facts.cohorts.fingerprints.items())),
        files=dict(sorted(facts.cohorts.files.items())),
        train=tuple(facts.learning.subjects),
        val=tuple(facts.cohorts.val),
        test=tuple(facts.cohorts.test),
    )


def _grid_results(result: Evaluation, notes: list[str]) -> GridResults:
    return GridResults(
        spacing_mm=result.spacing,
        shape=result.shape,
        operating_points=result.operating_points,
        summary=result.summary,
        groups=result.groups,
        references=result.references,
        notes=(*result.notes, *notes),
    )


def _healthy_source(learning: LearningFacts) -> str:
    if learning.origin in ("checkpoint", "elsewhere"):
        return "not known"
    if not learning.dataset:
        return "none needed"
    patients = find_entry(learning.dataset).healthy_source == "patients"
    return "lesion-free slices of patients" if patients else "healthy people"


def _few(validation: int) -> list[str]:
    """Say so where thresholds hang on so few subjects that their choice is a draw of the lot."""
    if not 0 < validation < ENOUGH_VALIDATION:
        return []
    return [
        f"thresholds were frozen on {counted(validation, 'validation subject')}: another choice of them may change every Dice"
    ]


def _learning(learning: LearningFacts) -> list[str]:
    """Say so where the loss still fell when the budget ended: more training may change the rank, or not."""
    if learning.curve is None or not learning.curve.is_file():
        return []
    fall = still_falling(read_losses(learning.curve)[1])
    if fall is None:
        return []
    return [f"{FALLING} {100 * fall:.0f} % below that of the fifth before"]


def _rules(facts: RunFacts) -> list[Guard]:
    """Return what the protocol wants declared: noise of training and scoring, checkpoint rule."""
    rules = []
    settings, learning = facts.method.settings, facts.learning
    noises = {key: settings[key] for key in ("training_noise", "scoring_noise") if key in settings}
    if noises:
        text = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in noises.items())
        rules.append(Guard("noise of training and scoring declared", True, text))
    question = "checkpoint chosen without the evaluated data"
    if learning.origin == "elsewhere":
        detail = "maps made elsewhere: how their model was chosen is not known"
        rules.append(Guard(question, None, detail))
    elif learning.origin == "checkpoint":
        detail = f"weights from {learning.report['checkpoint']}: how they were chosen is not known"
        rules.append(Guard(question, None, detail))
    elif learning.origin == "trained":
        detail = "the last step of the budget; no label was looked at"
        rules.append(Guard(question, True, detail))
    return rules
