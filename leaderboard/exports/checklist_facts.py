"""What run records tell of the items of a reporting checklist, in sentences; "" where they tell nothing."""

from __future__ import annotations

import statistics as stats
from collections.abc import Iterable
from dataclasses import dataclass

from andi_bench.metrics.compared import title_of
from andi_bench.metrics.points import RANKING, RANKING_POINT
from andi_bench.names import counted, part_of
from andi_bench.records.store import RunRecord
from leaderboard.compare import Comparison
from leaderboard.statistics.family import TableStatistics
from leaderboard.tables.cells import with_interval
from leaderboard.tables.columns import columns_of
from leaderboard.tables.comparability import intensities_of, modalities_of, region_of
from leaderboard.tables.parts import volumes_of
from leaderboard.tables.table import Table
from leaderboard.words.differences import rank_cells
from leaderboard.words.headline import headline
from leaderboard.words.methods_text import methods_paragraph
from leaderboard.words.notes import first_notes
from leaderboard.words.run_facts import plain
from leaderboard.words.threshold_text import threshold_note
from leaderboard.words.verdicts import power_sentences

_SHOWN_RUNS = 3


@dataclass(frozen=True)
class Seen:
    """A table, with what is known around it."""

    comparison: Comparison
    table: Table
    statistics: TableStatistics

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """The records behind the table."""
        return self.table.runs


def result(seen: Seen) -> str:
    """Say who can be told apart."""
    return f"{headline(seen.table, seen.statistics)}."


def measured(seen: Seen) -> str:
    """Say how it was measured and tested."""
    return methods_paragraph(seen.table, seen.statistics)


def methods(seen: Seen) -> str:
    """Name the methods, what kind each is and where it was published."""
    found = []
    for row in seen.table.rows:
        if row.runs:
            method, costs = row.runs[0].method, row.runs[0].costs
            words = [
                method.family,
                f"learns from {method.learns_from}" if method.learns_from else "",
            ]
            if costs.parameters:
                words.append(counted(costs.parameters, "parameter", form=","))
            words.append(method.paper)
            found.append(f"{row.label} ({'; '.join(filter(None, words))})")
    return f"{'; '.join(found)}. The whole configuration of each run is config.yaml in its record."


def data(seen: Seen) -> str:
    """Name the data set and how many subjects each part has."""
    counts = ", ".join(f"{name} {n}" for name, n in seen.table.protocol.subjects.items())
    trained = _shared(run.data.trained_on for run in seen.runs)
    text = f"{seen.table.title} ({seen.table.dataset}), split {seen.table.split}"
    text += f"; subjects: {counts}" if counts else ""
    return text + (f"; trained on {trained}" if trained else "") + "."


def preprocessing(seen: Seen) -> str:
    """Say which modalities were read, how their intensities were mapped, and the grid."""
    run, protocol = seen.runs[0], seen.table.protocol
    parts = []
    if modalities_of(run):
        parts.append(f"modalities {', '.join(modalities_of(run))}")
        parts.append(f"intensities: {intensities_of(run)}")
    grid = f"{protocol.grid} grid"
    if protocol.spacing_mm is not None:
        grid += f" of {'x'.join(f'{value:.4g}' for value in protocol.spacing_mm)} mm"
    parts += [grid, f"region {region_of(run)}", f"post-processing: {', '.join(protocol.chains)}"]
    if protocol.erosion:
        parts.append(f"brain mask eroded by {counted(protocol.erosion, 'voxel')}")
    return _sentence("; ".join(parts))


def healthy_slices(seen: Seen) -> str:
    """Say which part of the scans was learnt from."""
    source = _shared(run.data.healthy_source for run in seen.runs)
    return (
        f"Methods that learn read these slices of the training subjects: {source}."
        if source
        else ""
    )


def missing(seen: Seen) -> str:
    """Say how missing values are treated, and which there are."""
    notes = [note for note in first_notes(seen.table) if "no rank" in note]
    text = (
        "A run that lacks subjects of its split has no figures and no rank; figures that are undefined for a subject leave it out of that mean, and "
        "the numbers of subjects stand in the heads of the tables."
    )
    return " ".join([text, *notes])


def disjoint(seen: Seen) -> str:
    """Say how the guards on partitions came out."""
    return _guards(seen, "disjoint", "evaluated person", "once in its split")


def checkpoint(seen: Seen) -> str:
    """Say how the guards on the choice of weights and settings came out."""
    return _guards(seen, "checkpoint")


def _guards(seen: Seen, *words: str) -> str:
    """Say how the guards whose names have one of some words came out."""
    by_name: dict[str, list[bool | None]] = {}
    details: dict[str, str] = {}
    for run in seen.runs:
        for guard in run.guards:
            if any(word in guard.name for word in words):
                by_name.setdefault(guard.name, []).append(guard.passed)
                details.setdefault(guard.name, guard.detail)
    lines = [
        f"{plain(name)}: checked by machine, passed by {part_of(sum(one is True for one in passed), len(passed), 'run')} ({plain(details[name])})"
        for name, passed in by_name.items()
    ]
    return _sentence("; ".join(lines))


def software(seen: Seen) -> str:
    """Name package, commit, interpreter and main libraries."""
    sources = [run.provenance for run in seen.runs]
    packages = [source.get("packages") for source in sources]
    torch = _shared(str(one.get("torch") or "") for one in packages if isinstance(one, dict))
    found = {
        "andi-bench": _shared(str(source.get("andi_bench") or "") for source in sources),
        "Python": _shared(str(source.get("python") or "") for source in sources),
        "torch": torch,
        "scored on": _shared(run.costs.device for run in seen.runs),
    }
    text = "; ".join(f"{name} {value}" for name, value in found.items() if value)
    return f"{text}; all versions and the commit in every record." if text else ""


def seeds(seen: Seen) -> str:
    """Say with which seeds weights were drawn."""
    lines = [
        f"{row.label}: {', '.join(map(str, row.seeds)) if row.chance else 'nothing is left to chance'}"
        for row in seen.table.rows
        if row.runs
    ]
    return f"At random, from the run's seed. Seeds of {'; '.join(lines)}."


def training(seen: Seen) -> str:
    """Say how long each method was trained."""
    lines = []
    for row in seen.table.rows:
        steps, took = row.costs.get("training_steps"), row.costs.get("training_seconds")
        preset = row.runs[0].run.preset if row.runs else ""
        if steps:
            text = f"{row.label}: {counted(steps, 'step', form=',.0f')}"
            text += f" in {took:,.0f} s" if took else ""
            lines.append(text + (f" (preset {preset})" if preset else ""))
    return f"{'; '.join(lines)}." if lines else ""


def ensembling(seen: Seen) -> str:
    """Say that figures, not maps, are averaged."""
    return "None: maps of different seeds are never combined; figures are means over the seeds."


def metrics(seen: Seen) -> str:
    """Name what is measured."""
    names = [column.header for column in columns_of(seen.table) if column.metric]
    return f"{', '.join(names)}; each is defined below the details of the Markdown export."


def sensitivity(seen: Seen) -> str:
    """Say how far results hang on seeds, thresholds and the filter."""
    spread = [
        f"{row.label} {row.figures[RANKING].seed_sd:.3f}"
        for row in seen.table.rows
        if row.figures[RANKING].seed_sd is not None
    ]
    parts = [threshold_note(seen.table)]
    if spread:
        parts.append(f"Standard deviation of {title_of(RANKING)} over seeds: {', '.join(spread)}.")
    if len(seen.table.views) > 1:
        parts.append("Raw and filtered maps are both reported.")
    return " ".join(filter(None, parts))


def external(seen: Seen) -> str:
    """Say which other data sets the same trainings were tested on."""
    own = [one for one in seen.comparison.crossed if seen.table.dataset in one.datasets]
    names = dict.fromkeys(name for one in own for name in one.datasets)
    return (
        f"The same trainings were tested on {', '.join(names)}: see Across data sets."
        if own
        else ""
    )


def sizes(seen: Seen) -> str:
    """Say how many subjects there are, and what they could have shown."""
    volumes = volumes_of(seen.table)
    ill = sum(volume > 0 for volume in volumes.values())
    if not volumes:
        return ""
    text = f"{counted(ill, 'subject')} with a lesion, {len(volumes) - ill} without."
    family = seen.statistics.family
    return " ".join([text, *(power_sentences(family) if family else [])])


def grouped(seen: Seen) -> str:
    """Name the columns by which subjects are told apart."""
    names = dict.fromkeys(name for run in seen.runs for name in run.groups)
    return f"Recorded of the reported subjects: {', '.join(names)} (compare --by)." if names else ""


def best(seen: Seen) -> str:
    """Give what ranks and average precision of each ranked row, with intervals."""
    lines = [
        f"{row.label} {with_interval(row.figures[RANKING])}, AP {with_interval(row.figures['ap'])}"
        for row in seen.table.rows
        if row.rank is not None
    ]
    return f"{title_of(RANKING)} and AP per subject, 95 %: {'; '.join(lines)}." if lines else ""


def ranks(seen: Seen) -> str:
    """Give the ranks by the mean, with how far other subjects and seeds would move them."""
    family = seen.statistics.family
    if family is None or not family.rankings:
        return ""
    lines = [f"{line[0]} {line[3]}" for line in rank_cells(family)]
    brackets = ", in brackets 95 % with other subjects and seeds" if family.rankings[0].low else ""
    return f"{result(seen)} Ranks{brackets}: {'; '.join(lines)}."


def of_scans(seen: Seen) -> str:
    """Give how well scans with a lesion are told from those without."""
    lines = [
        f"{row.label} {with_interval(row.figures['scan_auroc'])}"
        for row in seen.table.rows
        if row.figures["scan_auroc"].value is not None
    ]
    return f"{title_of('scan_auroc')}, 95 %: {'; '.join(lines)}." if lines else ""


def failures(seen: Seen) -> str:
    """Name the subjects in whom the first method does worst."""
    row = next((row for row in seen.table.rows if row.rank is not None), None)
    values = row.values.get(RANKING, {}) if row else {}
    if row is None or not values:
        return ""
    worst = sorted(values.items(), key=lambda one: (one[1], one[0]))[:_SHOWN_RUNS]
    named = ", ".join(f"{plain(name)} {value:.3f}" for name, value in worst)
    return f"Lowest {title_of(RANKING)} of {row.label}: {named}; where its maps light up without a lesion: show --false-positives."


def warnings(seen: Seen) -> str:
    """Give what a reader is warned of."""
    family = seen.statistics.family
    found = [*(family.warnings if family else ()), *seen.statistics.warnings]
    return " ".join([*(f"{text}." for text in found), *first_notes(seen.table)])


def lesion_sizes(seen: Seen) -> str:
    """Give how large lesions are, and how many the working grid loses."""
    volumes = sorted(volume for volume in volumes_of(seen.table).values() if volume > 0)
    if not volumes:
        return ""
    text = f"Lesion volume a subject: median {stats.median(volumes):.3g} ml, {volumes[0]:.3g} to {volumes[-1]:.3g} ml."
    lesions = next((run.lesions for run in seen.runs if run.lesions is not None), None)
    if lesions is not None:
        lost = part_of(len(lesions.lost), lesions.total, "lesion", "has", "have")
        text += f" {lost} no voxel on the working grid."
    return text


def prevalence(seen: Seen) -> str:
    """Give the share of lesion voxels."""
    values = [row.figures["prevalence"].value for row in seen.table.rows]
    known = next((value for value in values if value is not None), None)
    return f"Lesion voxels are {100 * known:.2g} % of those that count." if known else ""


def lesion_free(seen: Seen) -> str:
    """Say how subjects without a lesion are counted."""
    return (
        "Subjects without a lesion are in no mean of Dice, AP or distances: they are reported apart, by how many of them have any detection and "
        "how much. A map that finds nothing in a subject with a lesion has a Dice of 0."
    )


def threshold(seen: Seen) -> str:
    """Say how the threshold was chosen."""
    return f"{RANKING_POINT.definition} The best threshold of the test split stands beside it as an upper bound and never ranks."


def costs(seen: Seen) -> str:
    """Give the seconds a volume."""
    lines = [
        f"{row.label} {row.costs['seconds_per_volume']:.3g}"
        for row in seen.table.rows
        if row.costs.get("seconds_per_volume") is not None
    ]
    device = _shared(run.costs.device for run in seen.runs)
    return (
        f"Seconds a volume{f' on {device}' if device else ''}: {', '.join(lines)}." if lines else ""
    )


def _shared(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(plain(word) for word in words if word))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""
