"""How like real scans the phantom is: both measured in the same way, as a table, a figure and the numbers themselves.

``python -m perf.realism measure NAME DATASET ROOT [--splits DIR] [--part train] [--any-label]`` measures a set of scans and
adds it to ``docs/phantom-realism.json``: means and standard deviations over its subjects, no figure of a person. The phantom:
``python -m perf.realism measure phantom folder workspace/data/phantom --part val``. ``python -m perf.realism show`` draws
``docs/phantom-realism.svg`` and prints the table of ``docs/phantom.md`` from these numbers alone; no scan is needed.

Parameters of the phantom were fitted to the eight training patients of BraTS 2021 beside the checkout. Test parts of built-in
phantoms are refused: they are sealed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from andi_bench.errors import UserError
from perf.scan_statistics import BINS, DEPTHS, TAIL, figures_of, measured, variety

ROOT = Path(__file__).resolve().parents[1]
NUMBERS = ROOT / "docs" / "phantom-realism.json"
FIGURE = ROOT / "docs" / "phantom-realism.svg"
FEWEST = 2
"""A mean over fewer subjects would be a figure of a person."""

ROWS = {
    "Brain, ml": "brain ml",
    "Fluid deep in the brain, ml": "deep fluid ml",
    "Bias field, SD of its logarithm: FLAIR": "bias/flair",
    "Bias field: T1": "bias/t1",
    "Bias field: T2": "bias/t2",
    "Noise of white matter: FLAIR": "structure/flair/noise",
    "Noise of white matter: T2": "structure/t2/noise",
    "Sharpness, structure finer than 2.5 mm: FLAIR": "structure/flair/finer than 2.5 mm",
    "Sharpness: T1": "structure/t1/finer than 2.5 mm",
    "Sharpness: T2": "structure/t2/finer than 2.5 mm",
    "Grey matter: FLAIR": "tissues/flair grey/median",
    "Grey matter: T1": "tissues/t1 grey/median",
    "Grey matter: T2": "tissues/t2 grey/median",
    "Fluid: FLAIR": "tissues/flair fluid/median",
    "Fluid: T2": "tissues/t2 fluid/median",
    "Spread (IQR) within white matter: FLAIR": "tissues/flair white/iqr",
    "Spread within white matter: T2": "tissues/t2 white/iqr",
    "Outer 5 mm: FLAIR": "tissues/flair rim/median",
    "Outer 5 mm: T1": "tissues/t1 rim/median",
    "Outer 5 mm: T2": "tissues/t2 rim/median",
    "Subjects differ at a place (SD, normalised): FLAIR": "variety/flair/median SD at a place",
    "Subjects differ at a place: T1": "variety/t1/median SD at a place",
    "Subjects differ at a place: T2": "variety/t2/median SD at a place",
    "Overlap of two brains (Dice)": "variety/overlap of brains",
    "Lesions, ml": "lesion/ml",
    "Lesions, components": "lesion/components",
    "Oedema: FLAIR": "lesion/oedema/flair/median",
    "Oedema: T1": "lesion/oedema/t1/median",
    "Oedema: T2": "lesion/oedema/t2/median",
    "Core or plaque: FLAIR": "lesion/core/flair/median",
    "Core or plaque: T1": "lesion/core/t1/median",
    "Core or plaque: T2": "lesion/core/t2/median",
    "Enhancing tumour: T1ce": "lesion/enhancing/t1ce/median",
    "99th percentile with the lesion over without: FLAIR": "p99 shift/flair",
    "AP of FLAIR itself, per subject": "lesion/AP of flair itself",
}
"""Rows of the table; intensities are relative to the subject's white matter, after N4."""


def flattened(found: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Return a nested mapping with joined keys; lists stay whole."""
    out: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(value, dict):
            out.update(flattened(value, f"{before}{key}/"))
        else:
            out[before + key] = value
    return out


def summarised(subjects: list[dict[str, Any]], between: dict[str, Any]) -> dict[str, Any]:
    """Return means and standard deviations over subjects; what fewer than two have is left out."""
    flat = [flattened(subject) for subject in subjects]
    out: dict[str, Any] = {"subjects": len(subjects)}
    for key in sorted({key for one in flat for key in one}):
        values = [one[key] for one in flat if one.get(key) is not None]
        if len(values) < FEWEST:
            continue
        if isinstance(values[0], list):
            table = np.array([[np.nan if v is None else v for v in row] for row in values], float)
            there = np.isfinite(table).sum(axis=0) >= FEWEST
            means = [
                float(np.nanmean(c)) if ok else None for c, ok in zip(table.T, there, strict=True)
            ]
            out[key] = [None if m is None else round(m, 4) for m in means]
        else:
            out[key] = [round(float(np.mean(values)), 4), round(float(np.std(values, ddof=1)), 4)]
    for key, value in flattened(between).items():
        out[f"variety/{key}"] = None if value is None else [round(value, 4), None]
    return out


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Measure a part of a data set.

    Raises
    ------
    UserError
        For the test part of a phantom, and for fewer than two subjects.
    """
    from datasets.adapters.catalogue import open_dataset

    if "test" in asked.part and (asked.root / "manifest.json").exists():
        raise UserError("the test part of a phantom is sealed: train or val wanted")
    adapter = open_dataset(asked.dataset, asked.root, asked.workspace, asked.splits)
    adapter.prepare()
    subjects = [s for part in asked.part for s in adapter.subjects_in(part)]
    if len(subjects) < FEWEST:
        raise UserError(f"{len(subjects)} subjects in {asked.part}: {FEWEST} or more wanted")
    volumes = [measured(adapter, s, kinds=not asked.any_label) for s in subjects]
    return summarised([figures_of(volume) for volume in volumes], variety(volumes))


def table(sets: dict[str, dict[str, Any]]) -> str:
    """Return the table in Markdown: mean and standard deviation over subjects."""
    lines = ["| | " + " | ".join(f"{name} ({s['subjects']})" for name, s in sets.items()) + " |"]
    lines.append("| --- |" + " --- |" * len(sets))
    for title, key in ROWS.items():
        cells = []
        for found in sets.values():
            mean, spread = found.get(key) or (None, None)
            digits = (
                0
                if mean is not None and mean >= 20
                else 3
                if mean is not None and mean < 0.1
                else 2
            )
            text = "" if mean is None else f"{mean:.{digits}f}"
            cells.append(text if spread is None else f"{text} ± {spread:.{digits}f}")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(sets: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw aggregate curves: histograms by tissue, profiles across the lesion's border, FLAIR's bright tail."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "phantom"
    figure, axes = plt.subplots(3, 4, figsize=(14, 9))
    middles = (BINS[1:] + BINS[:-1]) / 2
    for column, modality in enumerate(("flair", "t1", "t1ce", "t2")):
        for name, found in sets.items():
            style = {"label": name, "lw": 2 if "phantom" in name else 1.2}
            style["ls"] = "--" if "phantom" in name else "-"
            for tissue, alpha in (("white", 1.0), ("grey", 0.6), ("fluid", 0.35)):
                line = found.get(f"tissues/{modality} {tissue}/histogram")
                (drawn,) = axes[0, column].plot(middles, line, alpha=alpha, **style)
                style = {**style, "color": drawn.get_color(), "label": None}
            profile = found.get(f"lesion/profile/{modality}")
            if profile:
                values = [np.nan if v is None else v for v in profile]
                axes[1, column].plot(DEPTHS, values, **{**style, "label": name})
        axes[0, column].set(
            title=f"{modality}: white, grey, fluid (paler)", xlabel="relative to white matter"
        )
        axes[1, column].set(
            title=f"{modality} across the lesion's border", xlabel="mm from the border, inside < 0"
        )
    for name, found in sets.items():
        style = {"label": name, "ls": "--" if "phantom" in name else "-"}
        axes[2, 0].semilogy(TAIL, np.maximum(found["healthy flair/share above"], 1e-5), **style)
        for column, tissue in ((1, "rim"), (2, "rim")):
            modality = ("flair", "t2")[column - 1]
            axes[2, column].plot(middles, found[f"tissues/{modality} {tissue}/histogram"], **style)
        spread = [
            found[f"variety/{m}/median SD at a place"][0] for m in ("flair", "t1", "t1ce", "t2")
        ]
        axes[2, 3].plot(("FLAIR", "T1", "T1ce", "T2"), spread, marker="o", **style)
    axes[2, 0].set(
        title="Healthy brain brighter on FLAIR than",
        xlabel="relative to white matter",
        ylabel="share",
    )
    axes[2, 1].set(title="FLAIR of the outer 5 mm")
    axes[2, 2].set(title="T2 of the outer 5 mm")
    axes[2, 3].set(title="SD over subjects at a place")
    axes[0, 0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("measure")
    one.add_argument("name")
    one.add_argument("dataset")
    one.add_argument("root", type=Path)
    one.add_argument("--splits", type=Path)
    one.add_argument("--workspace", type=Path, default=Path("workspace"), help="keeps bias fields")
    one.add_argument("--part", action="append", choices=("train", "val", "test"))
    one.add_argument(
        "--any-label", action="store_true", help="every label of a mask is one kind of lesion"
    )
    commands.add_parser("show")
    asked = parser.parse_args()
    if asked.command == "measure":
        asked.part = asked.part or ["train"]
        found = measure(asked)
        known = json.loads(NUMBERS.read_text(encoding="utf-8")) if NUMBERS.exists() else {}
        known[asked.name] = found
        NUMBERS.write_text(
            json.dumps(known, separators=(",", ":")).replace("},", "},\n") + "\n", encoding="utf-8"
        )
        return
    known = json.loads(NUMBERS.read_text(encoding="utf-8"))
    draw(known, FIGURE)
    print(table(known))


if __name__ == "__main__":
    main()
