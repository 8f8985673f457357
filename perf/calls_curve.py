"""What fewer network calls cost a diffusion method: AP against calls, with intervals over subjects, for the presets ``fast``.

``python -m perf.calls_curve measure METHOD DATASET [--data-root DIR] [--splits DIR] [--train-on NAME] [--workspace DIR]`` scores the
validation split with the method's settings of :data:`VARIANTS`, one run after the other, fewest calls first; the training is that of
the preset (``--preset``, quick), learnt once, and maps that are there are found again. What it finds is added to
``docs/speed-calls.json``: means over subjects, no figure of a person. ``python -m perf.calls_curve show`` draws
``docs/speed-calls.svg`` and prints the tables of ``docs/speed.md`` from these numbers alone. Other settings are compared in the same way:
``measure dae phantom-quick --print --only preprocessing.crop=none --only preprocessing.crop=brain``.

Test splits are never scored: a preset chosen on them would be chosen on what it is reported on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import parse_assignments
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.pooled import pooled_average_precision
from andi_bench.metrics.resampling import draws_of
from andi_bench.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]
NUMBERS = ROOT / "docs" / "speed-calls.json"
FIGURE = ROOT / "docs" / "speed-calls.svg"
RESAMPLES = 10_000
TOLERANCE = 0.005
"""How far below that of the most calls the AP of a preset ``fast`` may lie, raw and filtered."""

VARIANTS: dict[str, list[tuple[str, ...]]] = {
    "andi": [(f"stride={n}",) for n in (100, 50, 34, 25, 20, 16, 12, 8, 4, 2, 1)],
    "anoddpm": [(f"stride={n}",) for n in (97, 50, 33, 24, 16, 12, 8, 4, 2, 1)],
    "autoddpm": [
        *[(f"stride={n}", "resampling=1") for n in (38, 24, 16, 12, 8)],
        *[(f"stride={n}",) for n in (24, 16, 12, 8, 4, 2, 1)],
    ],
    "andi-v2": [(f"calls={n}",) for n in (2, 3, 4, 7, 13, 25, 50, 100)],
    "disyre": [
        (f"grades={grades}",)
        for grades in ("[49]", "[74,24]", "[99,74,49,24]", "[99,87,74,62,49,37,24,12]")
    ],
    "itermask": [(f"iterations={n}",) for n in (1, 2, 3, 5, 10, 20)],
    "mddpm": [(f"draws={n}",) for n in (2, 3, 5, 10, 20)],
    # Strides that meet all of quick's time steps at which a slice is looked at or harmonised: multiples of 24.
    "thor": [(f"stride={n}",) for n in (24, 12, 8, 4, 2, 1)],
}
"""Settings of the detector, beside those of the preset; others by their whole keys. The last takes the most calls."""


def run_variant(asked: argparse.Namespace, settings: tuple[str, ...]) -> dict[str, Any]:
    """Score the validation split with some settings; return calls, seconds and, raw and filtered, pooled AP and AP of each subject.

    As ``run`` does it, up to the maps: these are kept, but no record is, and no figure drawn.
    """
    from benchmark.evaluation.measurement import bin_subject
    from benchmark.evaluation.protocol import chains_of
    from benchmark.run.detector_source import DetectorSource
    from benchmark.run.request import RunRequest

    chosen = [text if "." in text.split("=")[0] else f"detector.{text}" for text in settings]
    request = RunRequest(
        method=asked.method,
        dataset=asked.dataset,
        workspace=Workspace.at(asked.workspace),
        train_on=asked.train_on,
        preset=asked.preset,
        seed=asked.seed,
        split="val",
        data_root=asked.data_root,
        splits=asked.splits,
        overrides=[parse_assignments([*asked.set, *chosen])],
    )
    source = DetectorSource(request, Console(interval=120))
    data = source.open()
    source.learn(data)
    subjects = source.evaluated(data)
    named = source.identify(data, subjects)
    with source.alone(named.folder):
        source.bring(data, subjects, named, finished=False)
    load, names = named.store.load, sorted(subject.id for subject in subjects.known)
    chains = chains_of(source.config.evaluation)
    binned = [bin_subject(load, chains, name) for name in names]
    costs = [load(name).costs for name in names]
    return {
        "calls": float(np.mean([c["network_calls"] / c["slices"] for c in costs])),
        "seconds": float(np.mean([c["seconds"] for c in costs])),
        "chains": {
            "raw" if chain.median == 1 else "filtered": _precisions([b[chain.name] for b in binned])
            for chain in chains
        },
    }


def _precisions(histograms: list[ScoreHistogram]) -> dict[str, Any]:
    found = [pooled_average_precision(one) for one in histograms]
    pooled = pooled_average_precision(ScoreHistogram.merge(histograms))
    assert pooled is not None  # a validation split without a lesion has no AP to lose
    return {
        "pooled": pooled.value,
        "subjects": np.array([one.value for one in found if one is not None]),
    }


def interval(values: NDArray[np.float64]) -> list[float]:
    """Return the mean of subjects' values (S,) and its 95 % interval."""
    means = draws_of(len(values), RESAMPLES) @ values / len(values)
    low, high = np.percentile(means, [2.5, 97.5])
    return [round(float(v), 4) for v in (values.mean(), low, high)]


def summarised(found: list[tuple[tuple[str, ...], dict[str, Any]]]) -> dict[str, Any]:
    """Return what the figure and the tables show: means over subjects, and paired differences to the most calls."""
    most = max((one for _, one in found), key=lambda one: float(one["calls"]))
    rows = []
    for settings, one in sorted(found, key=lambda pair: float(pair[1]["calls"])):
        row: dict[str, Any] = {
            "settings": list(settings),
            "calls": one["calls"],
            "seconds": round(one["seconds"], 2),
        }
        for chain, values in one["chains"].items():
            row[chain] = {
                "pooled": round(values["pooled"], 4),
                "ap": interval(values["subjects"]),
                "difference": interval(values["subjects"] - most["chains"][chain]["subjects"]),
            }
        rows.append(row)
    return {"subjects": len(most["chains"]["raw"]["subjects"]), "rows": rows}


def holds(row: dict[str, Any], most: dict[str, Any]) -> bool:
    """Whether AP per subject and pooled AP, raw and filtered, lie at most :data:`TOLERANCE` below those of the most calls."""
    return all(
        row[chain]["difference"][0] >= -TOLERANCE
        and row[chain]["pooled"] - most[chain]["pooled"] >= -TOLERANCE
        for chain in ("raw", "filtered")
    )


def table(name: str, curve: dict[str, Any]) -> str:
    """Return one curve as Markdown."""
    lines = [
        f"{name}, {curve['subjects']} subjects with a lesion",
        "",
        "| Calls a slice | Settings | Raw AP | to most calls | Filtered AP | to most calls | Pooled, raw | filtered | |",
        "| --: | :-- | --: | --: | --: | --: | --: | --: | :-- |",
    ]
    rows = curve["rows"]
    for row in rows:
        cells = [f"{row['calls']:.3g}", ", ".join(row["settings"])]
        for chain in ("raw", "filtered"):
            mean, low, high = row[chain]["ap"]
            cells.append(f"{mean:.3f} [{low:.2f}, {high:.2f}]")
            mean, low, high = row[chain]["difference"]
            cells.append(f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]")
        cells += [f"{row[chain]['pooled']:.3f}" for chain in ("raw", "filtered")]
        cells.append("within .005" if holds(row, rows[-1]) else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(curves: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw AP per subject against calls: a panel a curve, raw and filtered, with intervals of the difference to the most calls."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from leaderboard.figures.style import plain_numbers

    plt.rcParams.update({"svg.hashsalt": "andi-bench", "svg.fonttype": "none", "font.size": 9})
    columns = 3
    lines = -(-len(curves) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(9.6, 2.8 * lines), squeeze=False)
    for axis in axes.flat[len(curves) :]:
        axis.set_axis_off()
    for axis, (name, curve) in zip(axes.flat, curves.items(), strict=False):
        calls = [row["calls"] for row in curve["rows"]]
        for chain, colour in (("raw", "#b35806"), ("filtered", "#2166ac")):
            means = np.array([row[chain]["ap"][0] for row in curve["rows"]])
            spread = np.array([row[chain]["difference"] for row in curve["rows"]])
            low, high = means - (spread[:, 0] - spread[:, 1]), means + (spread[:, 2] - spread[:, 0])
            axis.fill_between(calls, low, high, color=colour, alpha=0.15, linewidth=0)
            axis.plot(calls, means, "o-", color=colour, markersize=3, linewidth=1, label=chain)
        axis.set_xscale("log")
        plain_numbers(axis.xaxis)
        axis.set_title(f"{name} (n = {curve['subjects']})", fontsize=9)
        axis.set_xlabel("network calls a slice")
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("AP per subject")
    axes[0, 0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _kept() -> dict[str, dict[str, Any]]:
    if not NUMBERS.is_file():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(NUMBERS.read_text(encoding="utf-8"))
    return found


def measure(asked: argparse.Namespace) -> None:
    """Run the variants and keep their summary."""
    variants = [tuple(text.split(",")) for text in asked.only] or VARIANTS.get(asked.method)
    if not variants:
        raise UserError(
            f"method '{asked.method}': {', '.join(VARIANTS)} wanted, or settings by --only"
        )
    found = []
    for settings in variants:
        found.append((settings, run_variant(asked, settings)))
        chains = found[-1][1]["chains"]
        print(
            settings,
            f"{found[-1][1]['calls']:g} calls, {found[-1][1]['seconds']:.2f} s,",
            ", ".join(f"{c} {v['subjects'].mean():.3f}" for c, v in chains.items()),
            flush=True,
        )
    name, curve = f"{asked.method}, {asked.name or asked.dataset}", summarised(found)
    if asked.print:
        print(table(name, curve))
        return
    kept = _kept()
    kept[name] = curve
    NUMBERS.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("measure")
    one.add_argument("method")
    one.add_argument("dataset")
    one.add_argument("--name", help="of the data set in tables")
    one.add_argument("--data-root", type=Path)
    one.add_argument("--splits", type=Path)
    one.add_argument("--train-on")
    one.add_argument("--workspace", type=Path)
    one.add_argument("--preset", default="quick")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--set", action="append", default=[], help="as of run")
    one.add_argument(
        "--only", action="append", default=[], help="these settings: stride=8,resampling=1"
    )
    one.add_argument("--print", action="store_true", help="print the table and keep nothing")
    commands.add_parser("show")
    asked = parser.parse_args()
    if asked.command == "measure":
        measure(asked)
        return
    kept = _kept()
    draw(kept, FIGURE)
    print("\n\n".join(table(name, curve) for name, curve in kept.items()))


if __name__ == "__main__":
    main()
