"""What a reader must know of the scans that were measured: lesions outside the brain, lesions that the grid loses."""

from __future__ import annotations

from collections.abc import Sequence

from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.names import counted, part_of
from andi_bench.records.schema import Lesions, LostLesion
from benchmark.evaluation.measurement import Measured
from datasets.scans.brain import stripping_notes

_NAMED = 5  # lost lesions named in a note; the record names all


def lesions_of(measured: Sequence[Measured]) -> Lesions | None:
    """Count the lesions of the scans' own masks; None where it is not known for every subject."""
    known = [(m.subject, m.loss) for m in measured if m.loss is not None]
    if len(known) < len(measured):
        return None
    lost = [
        LostLesion(subject=subject, ml=ml, centre_mm=centre)
        for subject, loss in known
        for ml, centre in loss.lost
    ]
    return Lesions(total=sum(loss.total for _, loss in known), lost=tuple(lost))


def notes_of(measured: Sequence[Measured], merged: ScoreHistogram) -> list[str]:
    """Return notes on the masks, from the measured subjects and their merged histogram."""
    notes = []
    if not merged.totals()[0]:
        notes.append("the evaluated split holds no lesion voxel: AP and AUROC are undefined")
    outside = sum(m.lesion_outside for m in measured)
    if outside:
        total = sum(m.lesion_voxels for m in measured)
        notes.append(
            part_of(
                outside,
                total,
                "lesion voxel",
                "lies outside the brain mask and does not count",
                "lie outside the brain mask and do not count",
            )
        )
    ignored = [m.ignored for m in measured if m.ignored]
    if ignored:
        whose = f"of {counted(len(ignored), 'subject')}"
        notes.append(
            f"{counted(sum(ignored), f'brain voxel {whose} is', f'brain voxels {whose} are')} ignored, as their masks say: neither lesion nor healthy"
        )
    notes += stripping_notes({m.subject: m.brain_ml for m in measured})
    notes += _of_files(measured)
    lesions = lesions_of(measured)
    if lesions is not None and lesions.lost:
        named = [f"{lesion.subject} {lesion.ml:.2g} ml" for lesion in lesions.lost[:_NAMED]]
        more = ", ..." if len(lesions.lost) > _NAMED else ""
        notes.append(
            f"{part_of(len(lesions.lost), lesions.total, 'lesion', 'has', 'have')} no voxel on the working grid "
            f"({', '.join(named)}{more})"
        )
    return notes


def _of_files(measured: Sequence[Measured]) -> list[str]:
    """Return what was noted on the scans' files, a line each with the subjects it is said of."""
    said: dict[str, list[str]] = {}
    for subject in measured:
        for line in subject.notes:
            said.setdefault(line.partition(": ")[2], []).append(subject.subject)
    lines = [
        f"scans of {counted(len(names), 'subject')} ({names[0]}{', ...' if len(names) > 1 else ''}), {note}"
        for note, names in said.items()
    ]
    more = len(lines) - _NAMED
    return lines[:_NAMED] + (
        [f"{counted(more, 'more note')} on the scans' files"] if more > 0 else []
    )
