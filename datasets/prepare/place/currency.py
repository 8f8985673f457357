"""Whether a prepared subject is what would be prepared now, and what of it is brought up to date without its files.

Its images and masks depend on the files they were made from, and on whether an absent mask means no lesion; its person, its
part of the split and its further columns on what a CSV, a participants.tsv or a pattern says today.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from andi_bench.errors import UserError
from datasets.names import MASK
from datasets.prepare.found import Incoming, SourceFile
from datasets.prepare.made_with import noted, read_alike
from datasets.prepare.sidecar import WRITTEN, Preparation, PreparedFile, read_whole
from datasets.scans.fingerprints import FingerprintCache, file_hash
from datasets.volume import MODALITIES


def is_done(subject: Incoming, found: Preparation | None) -> bool:
    """Whether a subject is prepared already, from these very files and with the same meaning of an absent mask."""
    if found is None:
        return False
    made_from = {kind: file for kind, file in found.files.items() if file.path}
    if made_from.keys() != subject.files.keys():
        return False
    mask = found.files.get(MASK)
    written = mask is not None and not mask.path
    if written != (subject.healthy and MASK not in subject.files):
        return False
    return all(_same(subject.files[kind], file) for kind, file in made_from.items())


def reads_as_then(
    subject: Incoming, found: Preparation, template: Path | None, hashes: FingerprintCache
) -> bool:
    """Whether the images that were written for a subject would be written so today, by how their sources are read.

    Of a scan in an archive that is not known, and it is written again.
    """
    made = [kind for kind, file in found.files.items() if file.how.startswith(WRITTEN)]
    sources = [subject.files[kind] for kind in made if kind in MODALITIES and kind in subject.files]
    if not sources:
        return True
    paths = [source.container if source.kind == "file" else None for source in sources]
    return read_alike(found, [*paths, *([template] if template is not None else [])], hashes)


def _same(source: SourceFile, prepared: PreparedFile) -> bool:
    if source.stamp != prepared.stamp:
        return False
    if not prepared.changed or source.changed == prepared.changed:
        return True
    try:  # touched since: size and time may have been kept, bytes tell
        return file_hash(source.container) == prepared.hash
    except UserError:
        return False


def brought_up_to_date(subject: Incoming, found: Preparation) -> Preparation:
    """Return the sidecar of a subject that is done, with what its source says of the subject today."""
    files = {
        kind: file.model_copy(update={"changed": subject.files[kind].changed})
        if file.changed and kind in subject.files
        else file
        for kind, file in found.files.items()
    }
    if any(f.how.startswith(WRITTEN) for kind, f in files.items() if kind in MODALITIES):
        found = noted(found)
    return found.model_copy(
        update={
            "person": subject.person or subject.id,
            "part": subject.part,
            "attributes": dict(subject.attributes),
            "files": files,
        }
    )


def refreshed(subjects: Sequence[Incoming], output: Path) -> list[str]:
    """Bring the sidecars of finished subjects up to date; return whose person, part or columns have changed.

    Raises
    ------
    UserError
        When a sidecar cannot be written.
    """
    changed = []
    for subject in subjects:
        found = read_whole(output / subject.id)
        if found is None:
            continue
        now = brought_up_to_date(subject, found)
        if now == found:
            continue
        now.write(output / subject.id)
        if now.model_copy(update={"files": found.files, "versions": found.versions}) != found:
            changed.append(subject.id)
    return changed
