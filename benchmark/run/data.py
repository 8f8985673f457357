"""The data sets of a run: opened, prepared, checked for overlaps, cut into slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from andi_bench.config import RunConfig
from andi_bench.console import Console
from andi_bench.errors import UserError, unknown_name
from andi_bench.locks import exclusive
from benchmark.recording.guards import Guard, no_overlap
from benchmark.run.modalities import require_modalities
from benchmark.run.request import RunRequest
from datasets.adapters.base import DatasetAdapter, Subject
from datasets.adapters.catalogue import find_entry, open_dataset
from datasets.slices.store import SliceStore


@dataclass
class RunData:
    """The data sets of a run, opened and checked: what is scored, and what is learnt from."""

    adapter: DatasetAdapter
    source: DatasetAdapter
    source_name: str
    val: list[Subject]
    test: list[Subject]
    guards: list[Guard]
    fingerprints: dict[str, str]
    notes: tuple[str, ...]


def _pick(adapter: DatasetAdapter, request: RunRequest) -> tuple[list[Subject], list[Subject]]:
    """Return the validation subjects and the subjects to report on."""
    val, chosen = adapter.subjects_in("val"), adapter.subjects_in(request.split)
    names = [subject.id for subject in chosen]
    for name in request.subjects:
        if name not in names:
            raise unknown_name(f"subject of {request.dataset}'s {request.split} split", name, names)
    if request.subjects:
        chosen = [subject for subject in chosen if subject.id in request.subjects]
    if not chosen:
        raise UserError(
            f"dataset '{request.dataset}': its {request.split} split is empty, "
            "one subject or more wanted"
        )
    return val, chosen


def open_data(
    request: RunRequest,
    console: Console,
    *,
    learns: bool,
    modalities: Sequence[str],
    needs: Sequence[str] = (),
) -> RunData:
    """Open, prepare and check the data sets of a run; without ``learns``, the scored one alone.

    Parameters
    ----------
    modalities : sequence of str
        What the configuration names: every subject that is learnt from or scored must have them.
    needs : sequence of str
        What the method cannot do without.

    Raises
    ------
    UserError
        For data that is missing, a split that is empty, a modality that a scan lacks, or a subject or scan that
        stands in two splits.
    """
    entry = find_entry(request.dataset)
    source_name = request.train_on or entry.trained_on or request.dataset
    root = request.workspace.root
    adapter = open_dataset(request.dataset, request.data_root, root, request.splits)
    _prepare(adapter, request, console)
    if not learns or source_name == request.dataset:
        source = adapter
    else:
        source = open_dataset(source_name, request.train_root, root, None)
        _prepare(source, request, console)
    val, test = _pick(adapter, request)
    groups_read = {request.dataset: [*val, *test]}
    if learns:
        groups_read.setdefault(source_name, []).extend(source.subjects_in("train"))
    require_modalities(modalities, groups_read, request.method, needs)
    with console.reporting() as report:
        groups = {
            name: adapter.fingerprints(adapter.subjects_in(name), report)
            for name in ("train", "val", "test")
        }
        learnt = (
            {} if source is adapter else source.fingerprints(source.subjects_in("train"), report)
        )
    guards = [
        no_overlap(f"splits of {request.dataset} disjoint ({a}, {b})", groups[a], groups[b], (a, b))
        for a, b in (("train", "val"), ("train", "test"), ("val", "test"))
    ]
    known = groups["val"] | groups[request.split]
    evaluated = {subject.id: known[subject.id] for subject in [*val, *test]}
    if source is not adapter:
        guards.append(
            no_overlap(
                "training data and evaluated data disjoint",
                {f"{source_name}/{name}": content for name, content in learnt.items()},
                evaluated,
                (f"{source_name} (training)", request.dataset),
            )
        )
    notes = adapter.split().notes
    return RunData(adapter, source, source_name, val, test, guards, evaluated, notes)


def _prepare(adapter: DatasetAdapter, request: RunRequest, console: Console) -> None:
    lock = exclusive(request.workspace.locks / adapter.name, console)
    with lock, console.reporting() as report:
        adapter.prepare(report, request.workers)


def build_store(data: RunData, run: RunConfig, request: RunRequest, console: Console) -> SliceStore:
    """Build the store of the healthy training slices, or find it built.

    Raises
    ------
    UserError
        When the training split is empty, or a scan of it cannot be read.
    """
    train = data.source.subjects_in("train")
    if not train:
        raise UserError(f"dataset '{data.source_name}': its train split is empty")
    folder = request.workspace.slices
    with exclusive(folder, console), console.reporting() as report:
        return SliceStore.build(
            folder, data.source, train, run.preprocessing, request.workers, report
        )


def labelled(adapter: DatasetAdapter, subjects: Sequence[Subject]) -> list[Subject]:
    """Return the subjects whose lesions are known."""
    healthy = adapter.options.missing_mask == "healthy"
    return [subject for subject in subjects if subject.mask is not None or healthy]
