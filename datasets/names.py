"""The words in file names: what each convention calls a modality, a lesion mask or a brain mask.

Every place that tells a file by its name, or gives one, takes the words from here.
"""

from __future__ import annotations

import re

from datasets.volume import MODALITIES

MASK = "mask"
"""The kind of a file that is a lesion mask."""
BRAIN = "brain"
"""The kind of a file that is a brain mask."""
FOREGROUND = "fg_mask"
"""The kind of Shifts-MS's masks of the foreground."""
KINDS: tuple[str, ...] = (*MODALITIES, MASK, BRAIN)
"""What a file of anyone's own scans may be, in the order in which they are listed."""

TITLES = {"flair": "FLAIR", "t1": "T1", "t1ce": "T1ce", "t2": "T2"}
"""Modalities as people write them."""

NIFTI = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
"""How the name of a scan ends."""
ARCHIVE = re.compile(r"\.(tar|tar\.gz|tgz|tar\.xz|txz|tar\.bz2|tbz2|zip)$", re.IGNORECASE)
"""How the name of an archive ends."""

BRATS = {
    "flair": "flair",
    "t2f": "flair",
    "t1": "t1",
    "t1n": "t1",
    "t1ce": "t1ce",
    "t1c": "t1ce",
    "t2": "t2",
    "t2w": "t2",
    "seg": MASK,
}
"""What the last word of a BraTS file's name says, of any year."""

SYNONYMS = {
    **BRATS,
    "t1w": "t1",
    "t1gd": "t1ce",
    "t1post": "t1ce",
    "mask": MASK,
    "lesion": MASK,
    "lesion_mask": MASK,
    "brain": BRAIN,
    "brain_mask": BRAIN,
    "brainmask": BRAIN,
}
"""What a column, or the part of a file's name that stands for the modality, may be called; case does not matter."""

EXPECTED = ("brain", "brain_mask", "pd", "fg_mask", "ignore")
"""Last words of files that are known, though no scan and no lesion mask."""
_MASK_WORDS = re.compile(
    r"(?<![a-z])(m[ae]?sk|seg|segm|segmentation|lesions?|roi|label|labels|gt|wmh|annotation|truth|tumou?r|consensus)(?![a-z])"
    r"|mask|lesion|segment",
    re.IGNORECASE,
)
_OTHER_MASKS = re.compile(
    r"brain|skull|fg_?mask|foreground|ventric|tissue|face|csf|(?<![a-z])(gm|wm|vent)(?![a-z])|indiv",
    re.IGNORECASE,
)


def looks_like_mask(stem: str) -> bool:
    """Whether a file's name without its ending speaks of a lesion mask, in whatever convention."""
    return _MASK_WORDS.search(stem) is not None and _OTHER_MASKS.search(stem) is None


BIDS = {"FLAIR": "flair", "T1w": "t1", "T2w": "t2"}
"""Suffixes of BIDS; T1w with the entity ``ce`` is the contrast-enhanced T1."""
BIDS_MASKS = ("mask", "roi", "dseg", "msk", "seg", "lesion")
"""Suffixes of BIDS's derivatives that may be a mask."""

SHIFTS = {
    "flair": "flair",
    "t1": "t1",
    "t1ce": "t1ce",
    "t2": "t2",
    "pd": "pd",
    "gt": MASK,
    "fg_mask": FOREGROUND,
}
"""What Shifts-MS, as published, calls its folders and files."""
_SHIFTS_IMAGE = re.compile(
    r"^(?P<number>.+?)_(?P<word>flair|t1|t1ce|t2|pd|gt)_isovox\.nii(\.gz)?$", re.IGNORECASE
)
_SHIFTS_FOREGROUND = re.compile(
    r"^(?P<number>.+?)_isovox_(?P<word>fg_mask)\.nii(\.gz)?$", re.IGNORECASE
)


def file_stem(subject: str, kind: str) -> str:
    """Return the name that a prepared file has, without its ending: ``<subject>_flair``, ``<subject>_seg``."""
    return f"{subject}_{'seg' if kind == MASK else kind}"


def brats_kind(file: str, subject: str) -> str | None:
    """Return what a BraTS file of a subject is: a modality, :data:`MASK`, or None for another name."""
    stem = NIFTI.sub("", file)
    named = stem.lower().startswith(subject.lower()) and stem[len(subject) :][:1] in ("_", "-")
    return BRATS.get(stem[len(subject) + 1 :].lower()) if named else None


def is_of_2023(file: str) -> bool:
    """Whether a mask is named as BraTS names them since 2023: ``<id>-seg.nii.gz``."""
    return NIFTI.sub("", file).lower().endswith("-seg")


def shifts_kind(file: str) -> tuple[str, str] | None:
    """Return number and kind of a file named as Shifts-MS is published; None for another name.

    The masks of single raters (``indiv`` in their name) are none of its kinds.
    """
    found = _SHIFTS_IMAGE.match(file) or _SHIFTS_FOREGROUND.match(file)
    if found is None or "indiv" in file.lower():
        return None
    return found["number"], SHIFTS[found["word"].lower()]
