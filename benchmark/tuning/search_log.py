"""The record of a search: every trial, what was searched, whom it was measured on; as JSON and as Markdown."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from andi_bench.files import write_atomically
from andi_bench.names import counted
from benchmark.recording.provenance import provenance
from benchmark.tuning.objective import Objective
from benchmark.tuning.study import Attempt

FEW_PERSONS = 10
"""With fewer, a difference between two trials may well be chance."""


class SearchLog(BaseModel):
    """A search as it stands.

    Parameters
    ----------
    name : str
        Its folder's.
    asked : dict
        Everything that the search depends on: method, data, base configuration, space, metric, seeds, sampler.
    metric, pipeline, title : str
        What is measured, on which maps; both in words.
    higher_is_better : bool
        Which way it points.
    split : dict
        By fold, the subjects of ``train`` and ``val``.
    measured_on : dict
        ``subjects`` and ``persons`` that the choice rests on; ``test`` subjects, none of which was opened.
    attempts : tuple of Attempt
        Trials, in order; 0 is the configuration as it stands.
    best : int or None
        The best trial.
    versions : dict
        Of this package, Python, packages; the machine and the command.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    asked: dict[str, Any]
    metric: str
    pipeline: str
    title: str
    higher_is_better: bool
    split: tuple[dict[str, list[str]], ...]
    measured_on: dict[str, Any]
    attempts: tuple[Attempt, ...]
    best: int | None
    versions: dict[str, Any]

    def ranked(self) -> list[Attempt]:
        """Return the trials that came to a figure, best first; of equal ones the earlier."""
        found = [one for one in self.attempts if one.state == "complete" and one.same_as is None]
        sign = -1 if self.higher_is_better else 1
        return sorted(found, key=lambda one: (sign * (one.value or 0.0), one.number))

    @property
    def baseline(self) -> Attempt | None:
        """Trial 0; None while it is not over."""
        return self.attempts[0] if self.attempts else None

    def improvement(self, attempt: Attempt) -> float | None:
        """Return by how much a trial is better than the baseline, below 0 where it is worse; None where not known."""
        base = self.baseline
        if base is None or base.value is None or attempt.value is None:
            return None
        return (attempt.value - base.value) * (1 if self.higher_is_better else -1)

    def words(self) -> list[str]:
        """Return what a reader of the figures must know."""
        on, folds = self.measured_on, len(self.split)
        failed = sum(one.state == "failed" for one in self.attempts)
        tried = len([one for one in self.attempts if one.same_as is None])
        persons = on["persons"]
        way = f", each held out in one of {folds} folds" if folds > 1 else ""
        out = [
            f"{self.title}: mean over seeds {', '.join(map(str, self.asked['seeds']))}; measured on "
            f"{counted(len(on['subjects']), 'subject')} of {counted(persons, 'person')}{way}; none of the {on['test']} test subjects was opened",
            f"{counted(tried, 'trial')}, {failed} failed",
        ]
        if persons < FEW_PERSONS:
            more = "" if folds > 1 else "; --folds K measures on training subjects too"
            out.append(
                f"the choice rests on {counted(persons, 'person')}, which is few: what is better here may be so by chance{more}"
            )
        out.append(
            "the figure of the best trial is optimistic: it was picked by the subjects that it is measured on; one run on "
            "the test split tells what it is worth"
        )
        return out


def make_log(
    name: str,
    asked: dict[str, Any],
    objective: Objective,
    split: Sequence[dict[str, list[str]]],
    measured_on: dict[str, Any],
    attempts: Sequence[Attempt],
) -> SearchLog:
    """Put the record of a search together."""
    log = SearchLog(
        name=name,
        asked=asked,
        metric=objective.metric.key,
        pipeline=objective.pipeline,
        title=objective.title,
        higher_is_better=objective.higher_is_better,
        split=tuple(split),
        measured_on=measured_on,
        attempts=tuple(attempts),
        best=None,
        versions={**provenance(), "optuna": importlib.metadata.version("optuna")},
    )
    ranked = log.ranked()
    return log.model_copy(update={"best": ranked[0].number}) if ranked else log


def write_log(log: SearchLog, folder: Path) -> None:
    """Write ``search.json`` and ``search.md``, each whole or not at all.

    Raises
    ------
    UserError
        When they cannot be written.
    """
    write_atomically(folder / "search.json", log.model_dump_json(indent=1) + "\n")
    write_atomically(folder / "search.md", to_markdown(log))


def to_markdown(log: SearchLog) -> str:
    """Return the record as Markdown."""
    from tabulate import tabulate

    keys = list(log.asked["space"])
    rows = []
    for one in log.attempts:
        if one.same_as is not None:
            continue
        value = "" if one.value is None else f"{one.value:.4f}"
        change = log.improvement(one)
        each = ", ".join(
            f"{name} {'-' if figure is None else f'{figure:.3f}'}"
            for name, figure in subject_means(one).items()
        )
        settings = [show(one.settings.get(key)) for key in keys]
        shown = "" if change is None or one.number == 0 else f"{change:+.4f}"
        rows.append([one.number, *settings, value, shown, each, f"{one.seconds:.0f}", one.reason])
    heads = ["trial", *keys, log.title, "better by", "by subject", "seconds", "why it failed"]
    table = tabulate(rows, headers=heads, tablefmt="github", disable_numparse=True)
    lines = [f"- {line}" for line in log.words()]
    best = "none" if log.best is None else str(log.best)
    versions = f"andi-bench {log.versions['andi_bench']}, Optuna {log.versions['optuna']}"
    return "\n".join(
        [f"# Search {log.name}", "", *lines, f"- best: trial {best}; {versions}", "", table, ""]
    )


def subject_means(attempt: Attempt) -> dict[str, float | None]:
    """Return what each subject has of the metric, mean over the seeds where it is defined."""
    found: dict[str, list[float]] = {}
    for part in attempt.parts:
        for name, value in part.subjects.items():
            found.setdefault(name, []).extend([] if value is None else [value])
    return {name: sum(v) / len(v) if v else None for name, v in found.items()}


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return each key's name without its section, where no other key has the same."""
    fields = [key.partition(".")[2] for key in keys]
    return {
        key: field if fields.count(field) == 1 else key
        for key, field in zip(keys, fields, strict=True)
    }


def show(value: Any) -> str:
    """Return a value as it is written in YAML, on one line."""
    return value if isinstance(value, str) else json.dumps(value)
