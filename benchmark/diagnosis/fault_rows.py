"""A diagnosis as tables: by region, by height, by subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from andi_bench.names import counted
from benchmark.diagnosis.diagnose import Diagnosis
from benchmark.diagnosis.false_positives import Volumes, total
from benchmark.recording.montage import MODALITY_NAMES

DASH = "-"


def fault_tables(found: Diagnosis) -> list[tuple[str, list[dict[str, str]]]]:
    """Return the tables of a diagnosis, each a title and its rows."""
    chains = list(found.thresholds)
    count = max(1, len({one.subject for one in found.subjects}))
    by_region = {chain: found.by_region(chain) for chain in chains}
    whole = {chain: total(list(by_region[chain].values())) for chain in chains}
    rows = [
        {"region": name, **_cells({c: by_region[c][name] for c in chains}, whole, count)}
        for name in found.definitions
    ]
    rows.append({"region": "all", **_cells(whole, whole, count)})
    title = f"{found.label}: false positives at the frozen threshold, by region; ml: mean of {counted(count, 'subject')}"
    heights = {chain: found.by_height(chain) for chain in chains}
    parts = len(heights[chains[0]])
    by_height = [
        {
            "height": f"{100 * k // parts} to {100 * (k + 1) // parts} %",
            **_cells({c: heights[c][k] for c in chains}, whole, count),
        }
        for k in reversed(range(parts))
    ]
    return [
        (title, rows),
        ("By height, from the lowest slice of the brain", by_height),
        ("By subject", _by_subject(found)),
    ]


def words(found: Diagnosis) -> list[str]:
    """Return what a reader of the tables must know."""
    regions = "; ".join(f"{name}: {text}" for name, text in found.definitions.items())
    return [
        f"Regions, the first that fits: {regions}. Tissues are carried by an affine transform: right to some millimetres.",
        "lit: share of the healthy part of a region that is detected. of all: share of all false positives.",
        "Modalities: how much brighter (+) or darker (-) the false positives are than the healthy brain, in standard "
        "deviations. Kept maps hold one score a voxel, none by modality.",
        "shading: share of the variance of the scores in the healthy brain that the modalities explain once they are blurred "
        "by 20 mm: coil shading and coarse anatomy alike.",
    ]


def _cells(
    parts: Mapping[str, Volumes], whole: Mapping[str, Volumes], count: int
) -> dict[str, str]:
    out = {}
    for chain, part in parts.items():
        out[f"{chain}: ml"] = f"{part.false_positive_ml / count:.2f}"
        out["of all" if len(parts) == 1 else f"{chain}: of all"] = _percent(
            part.false_positive_ml, whole[chain].false_positive_ml
        )
        out["lit" if len(parts) == 1 else f"{chain}: lit"] = _percent(
            part.false_positive_ml, part.healthy_ml
        )
    return out


def _percent(value: float, of: float) -> str:
    return f"{100 * value / of:.1f} %" if of else DASH


def _by_subject(found: Diagnosis) -> list[dict[str, str]]:
    rows = []
    for chain in found.thresholds:
        for one in found.of_chain(chain):
            all_ = one.total
            top = max(one.regions, key=lambda name: one.regions[name].false_positive_ml)
            share = _percent(one.regions[top].false_positive_ml, all_.false_positive_ml)
            rows.append(
                {
                    "subject": one.subject,
                    "maps": chain,
                    "ml": f"{all_.false_positive_ml:.2f}",
                    "lit": _percent(all_.false_positive_ml, all_.healthy_ml),
                    "most in": DASH if share == DASH else f"{top}, {share}",
                    **_looks(list(one.looks.items())),
                    "shading": DASH if one.shading is None else f"{100 * one.shading:.0f} %",
                }
            )
        mean = found.mean_of(chain)
        shading = mean.pop("shading")
        rows.append(
            {
                "subject": "mean",
                "maps": chain,
                "ml": "",
                "lit": "",
                "most in": "",
                **_looks(list(mean.items())),
                "shading": DASH if shading is None else f"{100 * shading:.0f} %",
            }
        )
    return rows


def _looks(values: Sequence[tuple[str, float | None]]) -> dict[str, str]:
    return {
        MODALITY_NAMES.get(name, name): DASH if value is None else f"{value:+.1f}"
        for name, value in values
    }
