"""Which modalities a run may use: what the configuration names, the detector needs and every scan has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from andi_bench.config import RunConfig
from andi_bench.errors import UserError
from andi_bench.names import part_of
from benchmark.scoring.engine import does_not_reduce
from datasets.subject import Subject
from datasets.volume import MODALITIES
from methods.base import AnomalyDetector


def require_modalities(
    modalities: Sequence[str],
    groups: Mapping[str, Sequence[Subject]],
    method: str = "",
    needs: Sequence[str] = (),
) -> None:
    """Refuse a run whose scans do not all have the modalities that the configuration names.

    A detector sees the same channels in training and in scoring, and its brain mask comes from the same images:
    a subset is used where the configuration names it, never because some scan happens to lack the rest.

    Parameters
    ----------
    modalities : sequence of str
        ``preprocessing.modalities``.
    groups : mapping of data set to subjects
        Everyone that the run reads: who is learnt from, who is scored.
    method : str
        For messages.
    needs : sequence of str
        Modalities that the method cannot do without.

    Raises
    ------
    UserError
        Names the data set, the first subject that lacks a modality, how many do, and the subset that would do.
    """
    absent = [name for name in needs if name not in modalities]
    if absent:
        raise UserError(
            f"method '{method}' needs the modality {', '.join(absent)}: preprocessing.modalities names "
            f"{', '.join(modalities)}"
        )
    everyone = [subject for subjects in groups.values() for subject in subjects]
    common = [name for name in modalities if all(name in s.paths for s in everyone)]
    for dataset, subjects in groups.items():
        lacking = [s for s in subjects if any(name not in s.paths for name in modalities)]
        if not lacking:
            continue
        missing = ", ".join(name for name in modalities if name not in lacking[0].paths)
        raise UserError(
            f"data set '{dataset}': subject {lacking[0].id} lacks {missing} "
            f"({part_of(len(lacking), len(subjects), 'subject', 'lacks', 'lack')} one of {', '.join(modalities)}): "
            f"{_remedy(common, method, needs)}"
        )


def require_reducible(method: type[AnomalyDetector], config: RunConfig) -> None:
    """Refuse settings of the scores that say nothing to a method, name what it does not see, or do not go together.

    Raises
    ------
    UserError
        Names the method, or the modality, and what would do.
    """
    reduction, seen = config.scoring.reduction, config.preprocessing.modalities
    if reduction in MODALITIES and reduction not in seen:
        raise UserError(
            f"scoring.reduction = {reduction}: one of preprocessing.modalities ({', '.join(seen)}), max or mean wanted"
        )
    if config.scoring.published_outside and config.preprocessing.crop != "none":
        raise UserError(
            f"scoring.published_outside = true with preprocessing.crop = {config.preprocessing.crop}: maps of a box are 0 "
            "outside the brain; crop = none wanted"
        )
    if method.reduces:
        return
    if reduction in MODALITIES:
        raise does_not_reduce(method.name, f"scoring.reduction = {reduction}")
    if config.scoring.calibration != "none":
        raise does_not_reduce(method.name, f"scoring.calibration = {config.scoring.calibration}")


def _remedy(common: Sequence[str], method: str, needs: Sequence[str]) -> str:
    if not common:
        return "no modality is there for all, one or more wanted"
    absent = [name for name in needs if name not in common]
    if absent:
        return (
            f"only {', '.join(common)} is there for all, and method '{method}' needs "
            f"{', '.join(absent)}"
        )
    return (
        f"--set preprocessing.modalities=[{','.join(common)}] uses what is there for all, in training "
        "and in scoring"
    )
