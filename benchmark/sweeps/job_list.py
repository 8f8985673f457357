"""The jobs of a sweep: one a run, and before them what several runs share, so that none waits for another's lock in a job of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from andi_bench.names import counted, folder_word
from andi_bench.records.store import identity
from andi_bench.section import Resources
from benchmark.run.detector_source import DetectorSource
from benchmark.run.learnt import Shares
from benchmark.run.request import RunRequest
from benchmark.sweeps.job_files import Stage
from methods.catalogue import described_method


@dataclass(frozen=True)
class Wanted:
    """A run that is to be made.

    Parameters
    ----------
    source : DetectorSource
        Of the run.
    name : str
        The run in words.
    required : bool
        Whether the sweep fails with it.
    expected : float or None
        Seconds that it takes beside its training; None where nothing is known.
    training : float
        Seconds that its training takes, as far as it is known.
    """

    source: DetectorSource
    name: str
    required: bool = True
    expected: float | None = None
    training: float = 0.0


@dataclass(frozen=True)
class Job:
    """A job of a sweep.

    Parameters
    ----------
    key : str
        Its folder's name.
    name : str
        In words.
    stage : str
        How far it goes.
    request : RunRequest
        Of the run, or of one of those that it is done for.
    resources : Resources
        All filled in.
    after : tuple of str
        Keys of jobs that must have ended well before it begins.
    behind : tuple of str
        Keys of jobs that must have ended before it begins, however they did.
    required : bool
        Whether the sweep fails with it.
    expected : float or None
        Seconds that it takes; None where nothing is known.
    """

    key: str
    name: str
    stage: Stage
    request: RunRequest
    resources: Resources
    after: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    required: bool = True
    expected: float | None = None


def jobs_of(runs: Sequence[Wanted], said: Mapping[str, int | str | None], cpus: int) -> list[Job]:
    """Return the jobs of some runs, each after those that it needs.

    Data sets and slices that several runs read are made ready by a job without an accelerator; a training that several
    runs share is a job before them; runs whose maps lie in one folder follow each other.

    Parameters
    ----------
    runs : sequence of Wanted
        To be made.
    said : mapping
        Resources by the command's options; None says nothing.
    cpus : int
        Cores of a job where neither options nor the method's file say.
    """
    runs = list(runs)
    shares = [run.source.learner.shares(run.source.data_sets) for run in runs]
    reserved = [_resources(run.source, said, cpus) for run in runs]
    data = _data_jobs(runs, shares, reserved)
    before = [tuple(job.key for job, held in data if share.data <= held)[:1] for share in shares]
    jobs = [job for job, _ in data]
    groups: dict[str, list[int]] = defaultdict(list)
    for number, share in enumerate(shares):
        if share.training is not None:
            groups[share.training].append(number)
    for name, members in groups.items():
        first = runs[members[0]]
        if len(members) == 1:
            if first.expected is not None:
                runs[members[0]] = replace(first, expected=first.expected + first.training)
            continue
        job = Job(
            key=f"training__{name}",
            name=f"training of {first.name}, for {counted(len(members), 'run')}",
            stage="training",
            request=_plain(first.source.request),
            resources=reserved[members[0]],
            after=before[members[0]],
            required=any(runs[number].required for number in members),
            expected=first.training if first.expected is not None else None,
        )
        jobs.append(job)
        for number in members:
            before[number] = (*before[number], job.key)
    last: dict[str, str] = {}
    for run, share, resources, needs in zip(runs, shares, reserved, before, strict=True):
        key = run_key(run.source.request)
        behind = (last[share.maps],) if share.maps in last else ()
        last[share.maps] = key
        request, required = run.source.request, run.required
        jobs.append(
            Job(key, run.name, "run", request, resources, needs, behind, required, run.expected)
        )
    return jobs


def jobs_in_turn(runs: Sequence[Wanted]) -> list[Job]:
    """Return the runs as one process makes them, one after the other: what they share is made by the first of them."""
    learnt: set[str | None] = set()
    out: list[Job] = []
    for run in runs:
        request = run.source.request
        training = run.source.learner.shares(run.source.data_sets).training
        expected = run.expected
        if expected is not None and training not in learnt:
            expected += run.training
        learnt.add(training)
        behind = (out[-1].key,) if out else ()
        key = run_key(request)
        out.append(Job(key, run.name, "run", request, Resources(), (), behind, expected=expected))
    return out


def run_key(request: RunRequest) -> str:
    """Return the name of the folder of a run's job: the same whenever the same is asked for, on whatever device."""
    asked = {**vars(request), "workspace": "", "device": "", "workers": 0}
    parts = ("run", folder_word(request.method), folder_word(request.dataset))
    return "__".join([*parts, f"seed{request.seed}", identity(asked)[:8]])


def _plain(request: RunRequest) -> RunRequest:
    """Return a request without what belongs to one run of several."""
    return replace(request, export=None, subjects=())


def _resources(
    source: DetectorSource, said: Mapping[str, int | str | None], cpus: int
) -> Resources:
    entry = described_method(source.request.method)
    own = (entry.resources if entry else Resources()).overruled(**said)
    if not source.learner.accelerated:
        own = own.overruled(gpus=0)
    return own.overruled(
        cpus=cpus if own.cpus is None else None, gpus=1 if own.gpus is None else None
    )


def _data_jobs(
    runs: Sequence[Wanted], shares: Sequence[Shares], reserved: Sequence[Resources]
) -> list[tuple[Job, frozenset[str]]]:
    """Return the jobs that make data ready, each with what it makes ready; those that would wait for each other are a row."""
    kinds = list(dict.fromkeys(share.data for share in shares))
    whole = [kind for kind in kinds if not any(kind < other for other in kinds)]
    out: list[tuple[Job, frozenset[str]]] = []
    for kind in whole:
        meets = [other for other in kinds if other & kind]
        readers = [number for number, share in enumerate(shares) if share.data in meets]
        if len(readers) == 1:
            continue
        first = next(number for number, share in enumerate(shares) if share.data == kind)
        source = runs[first].source
        names = sorted({source.request.dataset, source.data_sets.source_name})
        readied = " and ".join(names) if source.data_sets.source else source.request.dataset
        out.append(
            (
                Job(
                    key=f"data__{folder_word(source.request.dataset)}__{identity({'of': sorted(kind)})[:8]}",
                    name=f"data of {readied}",
                    stage="data",
                    request=_plain(source.request),
                    resources=reserved[first].overruled(gpus=0),
                    behind=tuple(job.key for job, held in out if held & kind),
                    required=any(runs[number].required for number in readers),
                ),
                kind,
            )
        )
    return out
