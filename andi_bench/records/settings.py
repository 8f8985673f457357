"""What a record's run was made with, told so that records of all versions compare."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from andi_bench.config import RunConfig, Section
from andi_bench.records.schema import RunRecord

LATER_OPTIONS = "later_options"
"""In the provenance: hyper-parameters of the detector at their default that came later; older records leave them out."""


def settings_of(record: RunRecord) -> dict[str, Any]:
    """Return a record's configuration with every field of the sections it has.

    Older records leave out fields that stood at their default, or were not there yet. Of the detector, whose defaults only its
    own code knows, a newer record's later hyper-parameters that stand at their default are left out instead, as older ones do.
    """
    out = dict(record.config)
    for name, field in RunConfig.model_fields.items():
        model, found = field.annotation, out.get(name)
        if isinstance(model, type) and issubclass(model, Section) and isinstance(found, dict):
            try:
                out[name] = model.model_validate(found).described()
            except ValidationError:  # of a version with other fields
                out[name] = {**model().described(), **found}
    detector, later = out.get("detector"), record.provenance.get(LATER_OPTIONS) or ()
    if isinstance(detector, dict) and later:
        out["detector"] = {key: value for key, value in detector.items() if key not in later}
    return out
