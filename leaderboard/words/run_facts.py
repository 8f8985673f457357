"""One run in words: where it comes from, its operating points, its guards. Text of a record is made fit to be shown."""

from __future__ import annotations

from typing import Any

from andi_bench.records.store import RunRecord

GUARD_STATES = {True: "passed", False: "FAILED", None: "not known"}


def plain(text: Any) -> str:
    """Return text without characters that cannot be seen: control, direction marks, halves of pairs."""
    return "".join(mark if mark.isprintable() else " " for mark in str(text))


def facts_of(run: RunRecord) -> list[tuple[str, str]]:
    """Return what a reader needs to make a run again, or to doubt it: (what, value), where there is a value."""
    info, source, costs = run.run, run.provenance, run.costs
    git, packages = source.get("git"), source.get("packages")
    revision = None
    if isinstance(git, dict) and git.get("commit"):
        revision = f"{str(git['commit'])[:12]}{', with changes' if git.get('changed') else ''}"
    versions = None
    if isinstance(packages, dict):
        versions = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    facts = {
        "method": f"{info.label} ({info.method})" if info.label != info.method else info.method,
        "paper": run.method.paper,
        "preset": info.preset,
        "created": info.created,
        "data": f"{info.dataset}, split {info.split}: {run.data.title}",
        "trained on": run.data.trained_on or "nothing",
        "healthy slices": run.data.healthy_source,
        "settled on validation": ", ".join(f"{k} {v:g}" for k, v in run.method.calibration.items()),
        "training": _joined(
            f"{costs.training_steps:,} steps" if costs.training_steps is not None else "",
            f"{costs.training_seconds:,.0f} s" if costs.training_seconds is not None else "",
            f"{costs.parameters:,} parameters" if costs.parameters is not None else "",
        ),
        "scoring": _joined(
            f"{costs.seconds_per_volume:.3g} s a volume"
            if costs.seconds_per_volume is not None
            else "",
            f"{costs.network_calls_per_slice:g} network calls a slice"
            if costs.network_calls_per_slice is not None
            else "",
            f"{costs.peak_memory_mb:,.0f} MiB" if costs.peak_memory_mb is not None else "",
            costs.device,
        ),
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
    return [(name, plain(value)) for name, value in facts.items() if value]


def points_of(run: RunRecord) -> list[list[str]]:
    """Return the operating points: maps, name, threshold, share of healthy voxels above it, how it was found."""
    return [
        [
            plain(chain),
            plain(name),
            "one per volume" if point.threshold is None else f"{point.threshold:.6g}",
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
