"""What ``prepare shifts`` does: three steps in turn, what failed in a line each, and where everything lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.executor import Failure
from andi_bench.locks import exclusive
from andi_bench.names import counted
from andi_bench.workspace import Workspace
from datasets.prepare.register.registration_template import RegistrationTemplate, read_template
from datasets.prepare.sidecar import Reference, read_preparation
from datasets.prepare.step import StepOutcome

STEPS = ("organise", "register", "match")


@dataclass(frozen=True)
class ShiftsPreparation:
    """What a command asks for.

    Parameters
    ----------
    raw : Path or None
        The published layout; needed by the step organise alone.
    output : Path
        Holds ``organised/``, ``registered/`` and ``patients/``, each with one folder a patient.
    workspace : Workspace
        Where a built-in reference data set lies.
    copy : bool
        Whether organise copies files.
    template : Path or None
        File of the template; None: ICBM.
    reference_dataset : str
        Data set whose training split has the reference of histogram matching.
    reference_root : Path or None
        Its folder.
    reference_subject : str or None
        A subject of its training split.
    replace : bool
        Whether results of another template or reference may be replaced.
    workers : int or None
        Processes.
    """

    raw: Path | None
    output: Path
    workspace: Workspace
    copy: bool = False
    template: Path | None = None
    reference_dataset: str | None = None
    reference_root: Path | None = None
    reference_subject: str | None = None
    replace: bool = False
    workers: int | None = None

    @cached_property
    def target(self) -> RegistrationTemplate:
        """The template, read once."""
        return read_template(self.template)

    def run(self, steps: tuple[str, ...], console: Console) -> bool:
        """Do some of the steps, in their order.

        Returns
        -------
        bool
            Whether all went well for every patient.

        Raises
        ------
        UserError
            For what stops a step as a whole: nothing found, results of another template or reference.
        """
        work: dict[str, Callable[[Console], list[Failure]]] = {
            "organise": self._organise,
            "register": self._register,
            "match": self._match,
        }
        failed: dict[str, Failure] = {}
        with exclusive(self.output, console):
            for step in STEPS:
                if step not in steps:
                    continue
                for failure in work[step](console):
                    console.note(f"failed: {failure}")
                    failed[failure.subject] = failure
        if failed:
            console.note(
                f"{counted(len(failed), 'patient')} failed: mend or remove their files, and run again"
            )
        return not failed

    def _organise(self, console: Console) -> list[Failure]:
        from datasets.prepare.place.shifts_layout import find_raw, organise

        if self.raw is None:
            raise UserError("--raw DIR wanted: the folder that Shifts-MS was unpacked to")
        if self.output.resolve() == self.raw.resolve():
            raise UserError(f"--output {self.output} is the folder of the raw data: another wanted")
        found = find_raw(self.raw)
        if found.unknown:
            console.note(
                f"{counted(len(found.unknown), 'file')} passed over, whose names are not understood: {found.unknown[0]}"
                + (" and others" if len(found.unknown) > 1 else "")
            )
        with console.reporting() as report:
            outcome = organise(found, self.output / "organised", copy=self.copy, progress=report)
        _say(console, "organised", outcome, self.output / "organised")
        return list(outcome.failures)

    def _register(self, console: Console) -> list[Failure]:
        from datasets.prepare.place.shifts_layout import organised_subjects
        from datasets.prepare.register.register_step import register
        from datasets.prepare.report.contact_sheet import write_contact_sheets

        folder = self.output / "registered"
        subjects = organised_subjects(self.output / "organised")
        with console.reporting() as report:
            outcome = register(
                subjects,
                folder,
                self.target,
                replace=self.replace,
                workers=self.workers,
                progress=report,
            )
            done = sorted([*outcome.made, *outcome.kept])
            pages = write_contact_sheets(
                folder, done, outcome.failures, self.target, self.output, report
            )
        _say(console, f"registered to {self.target.name}", outcome, folder)
        for name in done:
            found = read_preparation(folder / name)
            for line in found.all_warnings if found is not None else ():
                console.note(f"warning: {name}: {line}")
        if pages:
            console.note(f"contact sheet, to be looked at: {', '.join(map(str, pages))}")
        return list(outcome.failures)

    def _match(self, console: Console) -> list[Failure]:
        from datasets.prepare.histogram.match_step import match_all, registered_subjects

        subjects, damaged = registered_subjects(self.output / "registered")
        reference = self._reference(console)
        with console.reporting() as report:
            outcome = match_all(
                subjects, self.output / "patients", reference, workers=self.workers, progress=report
            )
        _say(console, "matched" if reference else "laid out", outcome, self.output / "patients")
        return [*damaged, *outcome.failures]

    def _reference(self, console: Console) -> Reference | None:
        """Return the reference: the one used before, or one of the data set that is named."""
        from datasets.prepare.histogram.match_step import (
            changed_files,
            read_reference,
            write_reference,
        )

        known = read_reference(self.output)
        named = self._named_dataset()
        if known is not None and (named is None or not self.replace):
            asked = self.reference_dataset or known.dataset, self.reference_subject or known.subject
            if asked != (known.dataset, known.subject):
                raise UserError(
                    f"{self.output} was matched to {known.subject} of {known.dataset}, not to "
                    f"{self.reference_subject or 'a subject'} of {asked[0]}: name that one, another output "
                    "folder, or --replace"
                )
            changed = changed_files(known)
            if changed:
                raise UserError(
                    f"{changed[0]}: changed since the patients of {self.output} were matched to it: put the file back, "
                    f"or name its data set again with --reference-dataset {known.dataset} and --replace"
                )
            return known
        if named is None:
            console.note(
                "intensities are left as they are: --reference-root DIR or ANDI_BENCH_BRATS21 names the data set "
                "(brats21, or another by --reference-dataset) to whose training subjects they are matched"
            )
            return None
        reference = self._choose(named, console)
        console.note(
            f"reference: {reference.subject} of {reference.dataset}, {reference.why}"
            + (", its lesion left out" if reference.lesion_masked else "")
        )
        write_reference(self.output, reference)
        return reference

    def _named_dataset(self) -> str | None:
        import os

        from datasets.adapters.catalogue import find_entry

        name = self.reference_dataset or "brats21"
        variable = find_entry(name).root_variable
        known = variable is not None and bool(os.environ.get(variable, "").strip())
        if self.reference_dataset or self.reference_root or self.reference_subject or known:
            return name
        return None

    def _choose(self, name: str, console: Console) -> Reference:
        from datasets.adapters.catalogue import open_dataset
        from datasets.prepare.histogram.brain_quantiles import choose_reference

        adapter = open_dataset(name, self.reference_root, self.workspace.root)
        with console.reporting() as report:
            adapter.prepare(report, self.workers)
            return choose_reference(
                adapter, self.reference_subject, workers=self.workers, progress=report
            )


def _say(console: Console, what: str, outcome: StepOutcome, folder: Path) -> None:
    total = len(outcome.made) + len(outcome.kept)
    kept = f", {len(outcome.kept)} of them before" if outcome.kept else ""
    console.note(f"{what}: {counted(total, 'patient')}{kept} ({folder})")
