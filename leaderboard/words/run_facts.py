"""One run in words: where it comes from, its operating points, its guards. Text of a record is made fit to be shown."""

from __future__ import annotations

from typing import Any

from andi_bench.names import counted
from andi_bench.records.store import RunRecord
from leaderboard.words.threshold_text import threshold_text

GUARD_STATES = {True: "passed", False: "FAILED", None: "not known"}


def plain(text: Any) -> str:
    """Return text without characters that cannot be seen: control, direction marks, halves of pairs."""
    return "".join(mark if mark.isprintable() else " " for mark in str(text))


def facts_of(run: RunRecord) -> list[tuple[str, str]]:
    """Return what a reader needs to make a run again, or to doubt it: (what, value), where there is a value."""
    facts = {**_of_method(run), **_of_costs(run), **_of_origin(run)}
    return [(name, plain(value)) for name, value in facts.items() if value]


def _of_method(run: RunRecord) -> dict[str, Any]:
    info = run.run
    return {
        "method": f"{info.label} ({info.method})" if info.label != info.method else info.method,
        "paper": run.method.paper,
        "preset": info.preset,
        "created": info.created,
        "data": f"{info.dataset}, split {info.split}: {run.data.title}",
        "trained on": run.data.trained_on or "nothing",
        "healthy slices": run.data.healthy_source,
        "settled on validation": ", ".join(f"{k} {v:g}" for k, v in run.method.calibration.items()),
    }


def _of_costs(run: RunRecord) -> dict[str, Any]:
    costs = run.costs
    return {
        "training": _joined(
            _number(costs.training_steps, "step", ","),
            _said(costs.training_seconds, "{:,.0f} s"),
            _number(costs.parameters, "parameter", ","),
        ),
        "scoring": _joined(
            _said(costs.seconds_per_volume, "{:.3g} s a volume"),
            _number(
                costs.network_calls_per_slice, "network call a slice", "g", "network calls a slice"
            ),
            _said(costs.peak_memory_mb, "{:,.0f} MiB"),
            costs.device,
        ),
    }


def _of_origin(run: RunRecord) -> dict[str, Any]:
    source, info = run.provenance, run.run
    git, packages = source.get("git"), source.get("packages")
    revision = versions = None
    if isinstance(git, dict) and git.get("commit"):
        revision = f"{str(git['commit'])[:12]}{', with changes' if git.get('changed') else ''}"
    if isinstance(packages, dict):
        versions = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    return {
        "andi-bench": source.get("andi_bench"),
        "commit": revision,
        "Python": source.get("python"),
        "packages": versions,
        "system": source.get("system"),
        "command": source.get("command"),
        "split fingerprint": run.protocol.split_fingerprint[:16],
        "identity": info.identity[:16],
        "maps": info.maps[:16],
    }


def _said(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _number(value: float | None, noun: str, form: str, plural: str = "") -> str:
    return "" if value is None else counted(value, noun, plural, form)


def points_of(run: RunRecord) -> list[list[str]]:
    """Return the operating points: maps, name, threshold with its spread, share of lesion-free voxels above it, how it was found."""
    return [
        [
            plain(chain),
            plain(name),
            threshold_text(point),
            "–" if point.test_fpr is None else f"{100 * point.test_fpr:.2g} %",
            plain(point.how) + (" (an end of the scores)" if point.edge else ""),
        ]
        for chain, found in run.operating_points.items()
        for name, point in found.items()
    ]


def guards_of(run: RunRecord) -> list[list[str]]:
    """Return the guards: name, state in words, detail."""
    return [
        [plain(guard.name), GUARD_STATES[guard.passed], plain(guard.detail)] for guard in run.guards
    ]


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
