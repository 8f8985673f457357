"""What an earlier ``show --false-positives`` counted, read back without what counting takes."""

from __future__ import annotations

import json
from collections import defaultdict

from andi_bench.records.schema import RunRecord
from andi_bench.workspace import Workspace

FILE = "false-positives.json"


def regions_found(record: RunRecord, workspace: Workspace, chain: str) -> dict[str, float]:
    """Return the false-positive ml of each region, over all subjects; {} where nobody has counted, or the file is damaged.

    Parameters
    ----------
    record : RunRecord
        As read from its folder.
    workspace : Workspace
        Holds the diagnoses.
    chain : str
        Post-processing.
    """
    if record.folder is None:
        return {}
    try:
        text = (workspace.diagnoses / record.folder.name / FILE).read_text(encoding="utf-8")
        out: dict[str, float] = defaultdict(float)
        for subject in json.loads(text)["subjects"]:
            if subject["chain"] == chain:
                for name, found in subject["regions"].items():
                    out[name] += float(found["false_positive_ml"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(out)
