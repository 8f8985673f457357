"""Which runs may stand in one table, and which of them are seeds of one method."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from andi_bench.config import EvaluationConfig, PreprocessingConfig, ScoringConfig, Section
from andi_bench.names import counted
from andi_bench.records.settings import settings_of
from andi_bench.records.store import RunRecord

_NO_SETTINGS = {("seed",), ("device",), ("workers",)}
"""Configuration that changes no map: seeds are averaged, the others change speed alone."""


def _idle() -> set[tuple[str, ...]]:
    """Return the configuration that tells no two methods apart, as its fields declare it."""
    sections: dict[str, type[Section]] = {"evaluation": EvaluationConfig, "scoring": ScoringConfig}
    declared = {
        (section, name)
        for section, fields in sections.items()
        for name, found in fields.model_fields.items()
        if isinstance(found.json_schema_extra, dict)
        and found.json_schema_extra["separates_tables"] is False
    }
    return _NO_SETTINGS | declared


_IDLE = _idle()


def changes_maps(path: tuple[str, ...]) -> bool:
    """Whether a field of a run's configuration, by its place in it, can change a map or a figure."""
    return path not in _IDLE


DATA, MODALITIES, UNKNOWN = "files of the subjects", "modalities", "not recorded"
"""What sets states of the data apart; of a record that does not say."""

VERSION = "version of the protocol"


def comparability(run: RunRecord) -> dict[str, str]:
    """Return everything two runs must share to stand in one table, in words, by name."""
    protocol = run.protocol
    return {
        "dataset": run.run.dataset,
        "split": run.run.split,
        MODALITIES: ", ".join(modalities_of(run)) or "not recorded",
        "bias field and normalisation": intensities_of(run),
        "protocol": protocol.name,
        VERSION: str(protocol.version),
        "region": region_of(run),
        "grid": protocol.grid,
        "spacing": _times(protocol.spacing_mm, " mm"),
        "shape": _times(protocol.shape),
        "post-processing": ", ".join(protocol.chains),
        "median filter": _times(protocol.median_mm, " mm"),
        "erosion": counted(protocol.erosion, "voxel"),
        "smallest component": f"{protocol.min_component_ml:g} ml",
        "split fingerprint": protocol.split_fingerprint[:12] or "none",
        "share of lesion voxels": _prevalence(run),
        DATA: protocol.data_fingerprint[:12] or UNKNOWN,
    }


def keeps_outside(run: RunRecord) -> bool:
    """Whether a run's maps have scores outside the brain, where those of other methods of this package are 0."""
    scoring = run.config.get("scoring")
    return isinstance(scoring, dict) and bool(scoring.get("published_outside"))


def region_of(run: RunRecord) -> str:
    """Return the region that is measured, in words; and that maps reach beyond the brain, where they do."""
    return run.protocol.region + (", of maps scored beyond it" if keeps_outside(run) else "")


def comparable(records: Sequence[RunRecord]) -> dict[tuple[str, ...], list[RunRecord]]:
    """Sort records into groups that may stand in one table, by :func:`comparability`.

    Older records do not say what files they were measured on. They stand with the newer ones they agree with in all
    else, behind them, where these speak of one state of the data; else by themselves.
    """
    groups: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    for record in records:
        groups[tuple(comparability(record).values())].append(record)
    for key in [key for key in groups if key[-1] == UNKNOWN]:
        known = [other for other in groups if other[:-1] == key[:-1] and other[-1] != UNKNOWN]
        if len(known) == 1:
            groups[known[0]] += groups.pop(key)
    return groups


def measured_anew(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the records without those whose maps were measured by a later version of the protocol."""
    newest: dict[tuple[str, ...], int] = {}
    for record in records:
        key = _same_maps(record)
        newest[key] = max(newest.get(key, 0), record.protocol.version)
    return [
        record
        for record in records
        if not record.run.maps or record.protocol.version == newest[_same_maps(record)]
    ]


def _same_maps(record: RunRecord) -> tuple[str, ...]:
    run, protocol = record.run, record.protocol
    return (run.method, run.label, run.split, protocol.grid, *protocol.chains, run.maps)


def modalities_of(run: RunRecord) -> tuple[str, ...]:
    """Return the modalities that a run read, in channel order; () where its configuration does not say.

    They set the input, and the brain mask with it: runs on other modalities measure other voxels.
    """
    preprocessing = run.config.get("preprocessing")
    named = preprocessing.get("modalities") if isinstance(preprocessing, dict) else None
    return tuple(map(str, named)) if isinstance(named, list | tuple) else ()


def _preprocessing(run: RunRecord) -> PreprocessingConfig | None:
    """Return how a run's scans became slices; None where its configuration does not say, or names what is unknown."""
    found = run.config.get("preprocessing")
    try:
        return PreprocessingConfig.model_validate(found) if isinstance(found, dict) else None
    except ValidationError:
        return None


def intensities_of(run: RunRecord) -> str:
    """Return bias field and normalisation of a run's scans, in words."""
    # what does not say is from when there was one way
    return (_preprocessing(run) or PreprocessingConfig()).intensities()


def scoring_of(run: RunRecord) -> tuple[str, str, str] | None:
    """Return how the scores of slices become one map: reduction, calibration, deviations; None where it is not known."""
    found = run.config.get("scoring")
    try:
        scoring = ScoringConfig.model_validate(found) if isinstance(found, dict) else None
    except ValidationError:
        return None
    return (scoring.reduction, scoring.calibration, scoring.deviations) if scoring else None


def _prevalence(run: RunRecord) -> str:
    """Equal scans may have been held against other lesion masks: the fingerprint is the scans' alone."""
    for results in run.summary.values():
        if results.pooled.prevalence is not None:
            return f"{results.pooled.prevalence:.4g}"
    return "undefined"


def _times(numbers: tuple[float, ...] | None, unit: str = "") -> str:
    return "x".join(f"{value:.4g}" for value in numbers) + unit if numbers else "varying"


def methods_of(
    records: list[RunRecord], *, older: bool = False
) -> list[tuple[str, list[RunRecord]]]:
    """Group the seeds of each method; return its label, made unique, and its runs by seed.

    Of several records of the same maps the newest stands for all: they differ in what else was measured. A record that
    does not say what files it was measured on is never averaged with those that do.

    Parameters
    ----------
    records : list of RunRecord
        Of one table.
    older : bool
        Whether all records of the same maps are shown.
    """
    groups: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    measured: set[tuple[str, ...]] = set()
    newest_first = sorted(
        records, key=lambda r: (max(r.run.created, r.confirmed), r.run.identity), reverse=True
    )
    for record in newest_first:
        name = (*method_of(record), record.data.trained_on)
        if not older and record.run.maps and (*name, record.run.maps) in measured:
            continue  # the same maps, measured the same way once more
        measured.add((*name, record.run.maps))
        # the same seed twice is no second seed: something else differs, so it is another row
        known, copy = str(bool(record.protocol.data_fingerprint)), 0
        while record.run.seed in {other.run.seed for other in groups[(*name, known, str(copy))]}:
            copy += 1
        groups[(*name, known, str(copy))].append(record)
    runs_of = {key: sorted(runs, key=lambda r: r.run.seed) for key, runs in groups.items() if runs}
    by_label: dict[str, list[list[RunRecord]]] = defaultdict(list)
    for key, runs in runs_of.items():
        by_label[key[1]].append(runs)
    return [
        (name, runs)
        for label, same in by_label.items()
        for name, runs in zip(_distinct(label, same), same, strict=True)
    ]


def method_of(record: RunRecord) -> tuple[str, str, str, str]:
    """Return what two runs of one method share, whatever the data: name, label, preset, settings."""
    return record.run.method, record.run.label, record.run.preset, _settings(record)


def _settings(record: RunRecord) -> str:
    kept = {path: value for path, value in _flat(settings_of(record)).items() if path not in _IDLE}
    return json.dumps([[list(k), v] for k, v in sorted(kept.items())], sort_keys=True)


def _flat(config: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    out: dict[tuple[str, ...], Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            out |= _flat(value, (*path, key))
        else:
            out[(*path, key)] = value
    return out


def _distinct(label: str, groups: Sequence[list[RunRecord]]) -> list[str]:
    """Name rows of one label by what differs: preset, then the settings, at most two; else the identity.

    A setting that a record leaves out has its default there, and is not named.
    """
    if len(groups) == 1:
        return [label]
    settings = [
        {
            ("method",): runs[0].run.method,
            ("preset",): runs[0].run.preset,
            ("trained on",): runs[0].data.trained_on,
            ("files",): "recorded" if runs[0].protocol.data_fingerprint else UNKNOWN,
            **_flat(settings_of(runs[0])),
        }
        for runs in groups
    ]
    keys = [
        key
        for key in dict.fromkeys(key for values in settings for key in values)
        if key not in _IDLE and len({json.dumps(values.get(key)) for values in settings}) > 1
    ]
    names = []
    for values in settings:
        words = [f"{key[-1]}={json.dumps(values[key])}" for key in keys[:2] if key in values]
        names.append(f"{label} ({', '.join(words)})".replace('"', "") if words else label)
    if keys and len(set(names)) == len(names):
        return names
    return [f"{label} #{runs[0].run.identity[:8]}" for runs in groups]
