"""Whether a run is finished, of the data as they are: asked without learning, cutting or scoring anything."""

from __future__ import annotations

from datetime import UTC, datetime

from andi_bench.records.store import find_run
from benchmark.run.detector_source import DetectorSource
from benchmark.run.request import Outcome


def finished(source: DetectorSource) -> Outcome | None:
    """Return what a finished run left; None where it is to be made.

    To be asked where a record seems to be there: the files are then compared by their hashes, which are known.

    Raises
    ------
    UserError
        As :meth:`benchmark.run.detector_source.DetectorSource.open`.
    """
    if source.export is not None:  # the maps may be missing
        return None
    data = source.open()
    if not source.learner.has_learnt(data):
        return None
    source.learn(data)
    named = source.identify(data, source.evaluated(data))
    request = source.request
    info = named.info(request, source.preset, datetime.now(UTC).isoformat(timespec="milliseconds"))
    found = find_run(request.workspace.records, info)
    if found is None:
        return None
    return Outcome(request.workspace.records / info.folder_name, None, reused=True)
