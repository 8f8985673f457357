"""What a prepared data set holds, as one page that needs nothing else, and as a table of subjects."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from andi_bench.files import sweep, write_atomically
from andi_bench.names import counted
from datasets.names import BRAIN, KINDS, TITLES
from datasets.prepare.place.data_folder import PreparedData
from datasets.prepare.report import report_figures as figures
from datasets.prepare.sidecar import Preparation
from datasets.splits import PARTS
from datasets.volume import MODALITIES

VERSION = 2
"""Raised when the same data would give another page."""
FACTS = (
    "subject",
    "split",
    "shape",
    "spacing_mm",
    "brain_ml",
    "lesion_ml",
    "brain_slices",
    "healthy_slices",
)
"""First columns of ``subjects.csv``."""
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .2rem .8rem; border-bottom: 1px solid #e4e4e4; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } br { line-height: .8rem; } th { font-weight: 600; color: #555; }
img { max-width: 100%; height: auto; display: block; margin: .6rem 0; } p, ul { margin: .3rem 0; }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem 2.2rem; margin: 1rem 0; }
.tiles div { color: #555; } .tiles b { display: block; font-size: 1.6rem; color: #1f4e8c; line-height: 1.2; }
.bad b { color: #b3261e; } .small { color: #555; font-size: .88rem; } li { overflow-wrap: anywhere; }
"""


def write_report(output: Path, dataset: str, done: PreparedData) -> Path:
    """Write ``<output>/report/report.html`` and ``subjects.csv``, and return the page.

    Parameters
    ----------
    output : Path
        Folder of the prepared data set.
    dataset : str
        Its name.
    done : PreparedData
        What the preparation came to.

    Raises
    ------
    UserError
        When they cannot be written.
    """
    part_of = {id_: part for part in PARTS for id_ in done.split.ids(part)}
    folder = output / "report"
    sweep(folder)
    write_atomically(folder / "subjects.csv", _subjects(done, part_of).encode())
    page = folder / "report.html"
    prepared = [s.model_dump(mode="json") for s in done.prepared]
    content = [VERSION, dataset, prepared, done.failed, done.problems, done.notes, part_of]
    mark = f"<!-- {hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()} -->\n"
    if not (page.is_file() and page.read_text(encoding="utf-8").startswith(mark)):
        write_atomically(page, (mark + _page(output, dataset, done, part_of)).encode())
    return page


def _subjects(done: PreparedData, part_of: dict[str, str]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    names = [f"{m}_{what}" for m in MODALITIES for what in ("median", "p99")]
    rows.writerow([*FACTS, *names, "warnings"])
    for sidecar in done.prepared:
        facts = sidecar.measured
        found = facts.intensities
        quantiles = [
            found[m].quantiles[k] if m in found else "" for m in MODALITIES for k in (2, 4)
        ]
        rows.writerow(
            [
                sidecar.subject,
                part_of.get(sidecar.subject, ""),
                _times(facts.shape),
                _times(facts.spacing_mm),
                facts.brain_ml,
                _blank(facts.lesion_ml),
                facts.brain_slices,
                _blank(facts.healthy_slices),
                *quantiles,
                "; ".join(sidecar.all_warnings),
            ]
        )
    return text.getvalue()


def _page(output: Path, dataset: str, done: PreparedData, part_of: dict[str, str]) -> str:
    prepared = done.prepared
    known = [s for s in prepared if s.labelled]
    with_lesions = sum(s.lesion_ml > 0 for s in known)
    healthy = sum(s.measured.healthy_slices or 0 for s in known)
    bad = len(done.failed) + len(done.problems)
    tiles = [
        (len(prepared), "subjects prepared", ""),
        (bad, "not prepared, or refused", "bad" if bad else ""),
        (with_lesions, "with lesions", ""),
        (len(known) - with_lesions, "lesion-free", ""),
        (len(prepared) - len(known), "without a mask", ""),
        (f"{healthy:,}", "healthy slices", ""),
    ]
    shown = "".join(f'<div class="{c}"><b>{n}</b>{text}</div>' for n, text, c in tiles)
    parts = [f"<h1>Data report: {escape(dataset)}</h1>", f'<div class="tiles">{shown}</div>']
    if bad:
        parts += ["<h2>Not prepared</h2>", _list(done.failures)]
    if prepared:
        parts += _files(prepared)
        parts += _splits(done)
        parts += [
            "<h2>Lesions and healthy slices</h2>",
            _image(figures.lesions(prepared, part_of), "lesions"),
        ]
        parts += _labels(prepared)
        parts += [
            "<h2>Intensities</h2>",
            '<p class="small">Of the foreground, relative to the background, over the subjects: median (line), 25th to 75th percentile (dark) and 1st '
            "to 99th (light). The benchmark divides each modality of a subject by its 99th percentile.</p>",
            _image(figures.intensities(prepared), "intensities"),
        ]
        drawn = figures.examples(prepared, output)
        if drawn is not None:
            parts += [
                "<h2>Subjects with the smallest, the middle and the largest lesion</h2>",
                '<p class="small">Axial, the slice with the most lesion, outlined; the subject\'s right is on the left.</p>',
                _image(drawn[0], ", ".join(drawn[1])),
            ]
    if done.warnings:
        parts += ["<h2>To look at</h2>", _list(done.warnings)]
    if done.notes:
        parts += ["<h2>Notes</h2>", _list(done.notes)]
    parts.append(
        '<p class="small">One line per subject: <a href="subjects.csv">subjects.csv</a></p>'
    )
    body = "\n".join(parts)
    return (
        "<!DOCTYPE html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>Data report: {escape(dataset)}</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'
    )


def _files(prepared: Sequence[Preparation]) -> list[str]:
    rows = []
    for kind in KINDS:
        ways = Counter(s.files[kind].how for s in prepared if kind in s.files)
        if not ways and kind == BRAIN:
            continue
        count = sum(ways.values())
        bytes_ = sum(s.files[kind].bytes or 0 for s in prepared if kind in s.files)
        said = ", ".join(f"{how} {n}" for how, n in sorted(ways.items()))
        rows.append(
            [
                TITLES.get(kind, kind),
                count,
                len(prepared) - count,
                f"{bytes_ / 2**20:,.1f}",
                said,
            ]
        )
    grids = Counter((_times(s.measured.shape), _times(s.measured.spacing_mm)) for s in prepared)
    common = sorted(grids.items(), key=lambda item: (-item[1], item[0]))
    out = [
        "<h2>Files and grids</h2>",
        '<p class="small">Every file was read to its last byte, and the files of a subject share one grid.</p>',
        _table(["File", "There", "Missing", "MiB", "How"], rows),
        "<br>",
        _table(["Shape, voxels", "Spacing, mm", "Subjects"], [[*g, n] for g, n in common[:8]]),
    ]
    if len(common) > 8:
        out.append(f'<p class="small">and {counted(len(common) - 8, "more grid")}</p>')
    return out


def _splits(done: PreparedData) -> list[str]:
    facts = {s.subject: s.measured for s in done.prepared}
    rows = []
    for part in PARTS:
        mine = [facts[id_] for id_ in done.split.ids(part) if id_ in facts]
        volumes = [f.lesion_ml for f in mine if f.lesion_ml]
        slices = [f.healthy_slices for f in mine if f.healthy_slices is not None]
        lesions, healthy = _spread(volumes), _spread(slices)
        rows.append([part, len(mine), len(volumes), lesions, f"{sum(slices):,}", healthy])
    head = [
        "Split",
        "Subjects",
        "With lesions",
        "Lesion volume, ml",
        "Healthy slices",
        "per subject",
    ]
    return [
        "<h2>Splits</h2>",
        f'<p class="small">By {escape(done.split.source)}; volumes and slices as median [least, most].</p>',
        _table(head, rows),
    ]


def _labels(prepared: Sequence[Preparation]) -> list[str]:
    labels = sorted({k for s in prepared for k in s.measured.labels_ml}, key=int)
    if len(labels) < 2:
        return []
    rows = []
    for label in labels:
        found = [s.measured.labels_ml[label] for s in prepared if label in s.measured.labels_ml]
        rows.append([label, len(found), _spread(found)])
    return [_table(["Label of the masks", "Subjects", "ml"], rows)]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "–"
    return f"{np.median(values):.3g} [{min(values):.3g}, {max(values):.3g}]"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _image(content: bytes, text: str) -> str:
    data = base64.b64encode(content).decode()
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{data}">'


def _times(numbers: Sequence[float]) -> str:
    return "x".join(f"{value:g}" for value in numbers)


def _blank(value: Any) -> Any:
    return "" if value is None else value
