"""Puts a finished run together: summary, provenance, configuration and figures, in one record folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from andi_bench.config import DatasetEntry, MethodEntry, RunConfig
from andi_bench.metrics.points import RANKING_POINT, UPPER_BOUND
from andi_bench.records.previews import FOLDER, choose, make_preview, write_preview
from andi_bench.records.store import (
    Costs,
    DataInfo,
    GridResults,
    GuardResult,
    MethodInfo,
    Protocol,
    RunInfo,
    RunRecord,
    identity,
    write_record,
)
from benchmark.evaluation.paper_protocol import PaperRun
from benchmark.evaluation.protocol import Evaluation
from benchmark.recording.guards import Guard
from benchmark.recording.montage import montage
from benchmark.recording.provenance import provenance
from benchmark.recording.run_figures import dice_curves, loss_curve, pr_curve
from benchmark.scoring.map_store import MapStore
from benchmark.training.loss_curve import read_losses, still_falling
from benchmark.training.trained import Training
from datasets.adapters.catalogue import find_entry
from datasets.volume import Volume
from methods.base import DetectorConfig

if TYPE_CHECKING:
    import pandas as pd

Reader = Callable[[str], Volume]

NATIVE = "native/"
"""Begins the names of the histograms of the scans' own grids."""

FIGURE_SUBJECTS = 12
"""Montages per record; more would make records heavy without telling more."""

ENOUGH_VALIDATION = 4
"""Subjects of the validation split below which the leaderboard's notes say how few they are."""


@dataclass(frozen=True)
class Finished:
    """A finished run, but for its evaluation.

    ``elsewhere``: its maps were made by another program; ``unfrozen``: why there is nothing to freeze thresholds on, where
    that is not for lack of labelled validation subjects.
    """

    info: RunInfo
    run: RunConfig
    detector: DetectorConfig | None
    method: MethodEntry | None
    dataset: str
    trained_on: str
    checkpoint: Path | None
    training: Training | None
    training_report: dict[str, Any]
    train: list[str]
    val: list[str]
    test: list[str]
    unlabelled: int
    fingerprints: dict[str, str]
    guards: list[Guard]
    costs: Costs
    notes: tuple[str, ...] = ()
    elsewhere: bool = False
    unfrozen: str | None = None
    calibration: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """What was measured: on the working grid, and what else was asked for.

    Parameters
    ----------
    working : Evaluation
        On the working grid.
    native : Evaluation or None
        On the scans' own grids.
    paper : PaperRun or None
        By the paper's protocol.
    """

    working: Evaluation
    native: Evaluation | None = None
    paper: PaperRun | None = None

    def subjects(self) -> pd.DataFrame:
        """Return the tables of subjects, one below the other, with a column ``grid``."""
        import pandas as pd

        tables = [
            result.subjects.assign(grid=grid)
            for grid, result in (("working", self.working), ("native", self.native))
            if result is not None
        ]
        return pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]

    def histograms(self) -> Mapping[str, NDArray[Any]]:
        """Return all histograms; those of the scans' own grids have names that begin with ``native/``."""
        if self.native is None:
            return self.working.histograms
        return _Joined(self.working.histograms, self.native.histograms)


def leave_record(
    records_dir: Path, finished: Finished, results: Results, maps: MapStore, reader: Reader
) -> Path:
    """Write the run record, with configuration, loss curve and figures, and return its folder.

    Parameters
    ----------
    reader : callable
        Reads the volume of a subject, for the montages.

    Raises
    ------
    UserError
        When the records' folder cannot be written.
    """
    config = resolved_config(finished)
    result = results.working

    def attach(folder: Path) -> None:
        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
        (folder / "config.yaml").write_text(text, encoding="utf-8")
        figures = folder / "figures"
        figures.mkdir()
        curve = finished.training.folder / "loss.csv" if finished.training else None
        if curve is not None and curve.is_file():
            shutil.copyfile(curve, folder / "loss.csv")
            loss_curve(figures / "loss.png", folder / "loss.csv")
        if result.curves:
            pr_curve(figures / "precision-recall.png", result.curves, result.prevalence)
            dice_curves(figures / "dice-threshold.png", result.sweeps)
        for subject in finished.test[:FIGURE_SUBJECTS]:
            _montages(figures, subject, finished, result, maps, reader)
        for subject in _shown(finished, result):
            _preview(folder / FOLDER / f"{subject}.npz", subject, result, maps, reader)
        if results.paper is not None:
            for name, text in results.paper.files(finished.info.method).items():
                (folder / name).write_text(text, encoding="ascii")

    record = _record(finished, results, config)
    return write_record(records_dir, record, results.subjects(), results.histograms(), attach)


def resolved_config(finished: Finished) -> dict[str, Any]:
    """Return the configuration as it was used, every default filled in; fit for ``--config``."""
    config = finished.run.model_dump(mode="json")
    config["detector"] = finished.detector.model_dump(mode="json") if finished.detector else {}
    return config


def _montages(
    folder: Path,
    subject: str,
    finished: Finished,
    result: Evaluation,
    maps: MapStore,
    reader: Reader,
) -> None:
    scored = maps.load(subject)
    volume = reader(subject)
    for chain in result.chains:
        point = result.operating_points[chain.name].get(RANKING_POINT.name)
        threshold = point.threshold if point else None
        montage(
            folder / f"{subject}_{chain.name}.png",
            volume,
            chain.apply(scored.map, scored.brain),
            threshold,
            f"{finished.info.label}, {chain.name}, {finished.dataset} {subject}",
        )


def _shown(finished: Finished, result: Evaluation) -> list[str]:
    """Choose the subjects of the previews, by lesion volume and by the mean Dice of the chains."""
    most = finished.run.evaluation.previews
    table = result.subjects
    # without a validation split nothing is frozen
    point = RANKING_POINT.name
    if not (table["point"] == point).any():
        point = UPPER_BOUND.name
    lines = table[table["point"] == point]
    volumes: dict[str, float] = {}
    dice: dict[str, list[float]] = {}
    for name, ml, value in zip(lines["subject"], lines["lesion_ml"], lines["dice"], strict=True):
        volumes[name] = ml
        dice.setdefault(name, []).append(value)
    means = {name: sum(values) / len(values) for name, values in dice.items()}
    return choose(finished.test, volumes, means, most) if most else []


def _preview(path: Path, subject: str, result: Evaluation, maps: MapStore, reader: Reader) -> None:
    scored, volume = maps.load(subject), reader(subject)
    points = result.operating_points
    preview = make_preview(
        volume.image[0],
        volume.brain,
        volume.lesion if volume.lesion is not None else np.zeros_like(volume.brain),
        {chain.name: chain.apply(scored.map, scored.brain) for chain in result.chains},
        {
            chain: [point.threshold for point in found.values() if point.threshold is not None]
            for chain, found in points.items()
        },
        volume.spacing,
    )
    write_preview(path, preview)


def _record(finished: Finished, results: Results, config: dict[str, Any]) -> RunRecord:
    method, info, result = finished.method, finished.info, results.working
    dataset = find_entry(finished.dataset)
    source = find_entry(finished.trained_on) if finished.trained_on else None
    evaluation = finished.run.evaluation
    spacing = result.spacing
    shared = [*finished.notes, *_learning(finished), *_few(len(finished.val))]
    if finished.unlabelled:
        shared.append(f"{finished.unlabelled} subjects without a lesion mask: scored only")
    return RunRecord(
        run=info,
        protocol=Protocol(
            spacing_mm=spacing,
            shape=result.shape,
            chains=tuple(chain.name for chain in result.chains),
            median_mm=tuple(evaluation.median * edge for edge in spacing) if spacing else None,
            erosion=evaluation.erosion,
            min_component_ml=evaluation.min_component_ml,
            split_fingerprint=identity(
                {
                    name: sorted(f"{i}:{finished.fingerprints[i]}" for i in ids)
                    for name, ids in (("val", finished.val), ("test", finished.test))
                }
            ),
            subjects={"val": len(finished.val), info.split: len(finished.test)},
        ),
        method=MethodInfo(
            title=method.title, paper=method.paper, year=method.year,
            family=method.family, learns_from=method.learns_from, calibration=finished.calibration,
        ) if method else MethodInfo(calibration=finished.calibration),
        data=DataInfo(
            title=dataset.title,
            trained_on=finished.trained_on,
            healthy_source=_healthy_source(source, finished),
            fingerprints=dict(sorted(finished.fingerprints.items())),
            train=tuple(finished.train),
            val=tuple(finished.val),
            test=tuple(finished.test),
        ),
        guards=tuple(GuardResult(**guard.record()) for guard in [*finished.guards, *_rules(finished)]),
        operating_points=result.operating_points,
        summary=result.summary,
        groups=result.groups,
        native=_grid_results(results.native, shared) if results.native else None,
        lesions=result.lesions,
        paper=results.paper.record() if results.paper else None,
        costs=finished.costs.model_copy(update=result.costs),
        training=finished.training_report,
        config=config,
        provenance=provenance(),
        notes=(*result.notes, *shared),
        unranked=result.unranked,
    )  # fmt: skip


def _grid_results(result: Evaluation, notes: list[str]) -> GridResults:
    return GridResults(
        spacing_mm=result.spacing,
        shape=result.shape,
        operating_points=result.operating_points,
        summary=result.summary,
        groups=result.groups,
        notes=(*result.notes, *notes),
    )


def _healthy_source(source: DatasetEntry | None, finished: Finished) -> str:
    if finished.checkpoint is not None or finished.elsewhere:
        return "not known"
    if source is None:
        return "none needed"
    patients = source.healthy_source == "patients"
    return "lesion-free slices of patients" if patients else "healthy people"


def _few(validation: int) -> list[str]:
    """Say so where thresholds hang on so few subjects that their choice is a draw of the lot."""
    if not 0 < validation < ENOUGH_VALIDATION:
        return []
    subjects = "subject" if validation == 1 else "subjects"
    return [
        f"thresholds were frozen on {validation} validation {subjects}: another choice of them may change every Dice"
    ]


def _learning(finished: Finished) -> list[str]:
    """Say so where a training was still improving when its budget ended: more of it may change the rank."""
    curve = finished.training.folder / "loss.csv" if finished.training else None
    if curve is None or not curve.is_file():
        return []
    fall = still_falling(read_losses(curve)[1])
    if fall is None:
        return []
    return [
        "still improving at the end of its training budget: the mean loss of the last fifth is "
        f"{100 * fall:.0f} % below that of the fifth before"
    ]


def _rules(finished: Finished) -> list[Guard]:
    """Return what the protocol wants declared: noise of training and scoring, checkpoint rule."""
    rules = []
    settings = finished.detector.model_dump(mode="json") if finished.detector else {}
    noises = {key: settings[key] for key in ("training_noise", "scoring_noise") if key in settings}
    if noises:
        text = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in noises.items())
        rules.append(Guard("noise of training and scoring declared", True, text))
    if finished.elsewhere:
        detail = "maps made elsewhere: how their model was chosen is not known"
        rules.append(Guard("checkpoint chosen without the evaluated data", None, detail))
    elif finished.checkpoint is not None:
        detail = f"weights from {finished.checkpoint.name}: how they were chosen is not known"
        rules.append(Guard("checkpoint chosen without the evaluated data", None, detail))
    elif finished.training is not None:
        detail = "the last step of the budget; no label was looked at"
        rules.append(Guard("checkpoint chosen without the evaluated data", True, detail))
    return rules


class _Joined(Mapping[str, NDArray[Any]]):
    """The histograms of both grids, unpacked only when asked for."""

    def __init__(
        self, working: Mapping[str, NDArray[Any]], native: Mapping[str, NDArray[Any]]
    ) -> None:
        self._working, self._native = working, native

    def __iter__(self) -> Iterator[str]:
        yield from self._working
        yield from (f"{NATIVE}{name}" for name in self._native)

    def __len__(self) -> int:
        return len(self._working) + len(self._native)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name.startswith(NATIVE):
            return self._native[name.removeprefix(NATIVE)]
        return self._working[name]
