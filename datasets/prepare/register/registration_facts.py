"""What the sidecar says of a registration."""

from __future__ import annotations

from datasets.prepare.register.affine import Registration
from datasets.prepare.register.registration_template import RegistrationTemplate
from datasets.prepare.sidecar import LEAST_DICE, RegistrationRecord, as_rows


def registration_record(
    found: Registration, template: RegistrationTemplate, moving: str
) -> RegistrationRecord:
    """Describe a registration, with a warning where the brains overlap too little."""
    warning = None
    if found.dice_after < LEAST_DICE:
        warning = (
            f"the registered brain overlaps the template's with a Dice of {found.dice_after:.3f}, "
            f"{LEAST_DICE} wanted: look at the contact sheet"
        )
    return RegistrationRecord(
        template=template.name,
        template_hash=template.hash,
        moving=moving,
        to_template=as_rows(found.to_template),
        metric_before=round(found.metric_before, 6) + 0.0,
        metric_after=round(found.metric_after, 6) + 0.0,
        dice_before=round(found.dice_before, 6),
        dice_after=round(found.dice_after, 6),
        warning=warning,
    )
