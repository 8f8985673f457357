"""How a table was measured and tested, as one paragraph: below the table, and for the methods section of a paper."""

from __future__ import annotations

from andi_bench.metrics.compared import metric_at, title_of
from andi_bench.metrics.mean_intervals import FEWEST
from andi_bench.metrics.points import RANKING, RANKING_POINT
from andi_bench.names import counted
from leaderboard.statistics.family import Family, TableStatistics
from leaderboard.tables.parts import volumes_of
from leaderboard.tables.pipelines import RAW, VALIDATED
from leaderboard.tables.table import Table
from leaderboard.words.main_table import CLEAN, FALSE_ML, short_pipeline
from leaderboard.words.pipeline_text import millimetres, window_text
from leaderboard.words.scoring_text import scoring_sentences
from leaderboard.words.threshold_text import frozen_on, has_threshold, without_validation


def dated(table: Table) -> str:
    """Return what was compared, when and by what: data set, split, days of the runs, protocol, versions of the package."""
    protocol = table.protocol
    days = sorted({run.run.created[:10] for run in table.runs if run.run.created})
    parts = [
        table.dataset,
        f"split {table.split}",
        f"protocol {protocol.name}, version {protocol.version}",
    ]
    if days:
        when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        parts.append(f"runs of {when}")
    versions = sorted({str(run.provenance.get("andi_bench") or "") for run in table.runs} - {""})
    if versions:
        parts.append(f"andi-bench {', '.join(versions)}")
    return "; ".join([*parts, *ranked_by(table)])


def ranked_by(table: Table) -> list[str]:
    """Say so where something else ranks than what the protocol ranks by."""
    if table.metric == RANKING:
        return []
    return [f"RANKED BY {title_of(table.metric)}, asked for, instead of {title_of(RANKING)}"]


def methods_paragraph(table: Table, statistics: TableStatistics) -> str:
    """Return in a paragraph what was measured, on whom, and how differences were tested.

    Parameters
    ----------
    table : Table
        Of the leaderboard.
    statistics : TableStatistics
        The table's.
    """
    said = [
        _whom(table),
        _pipelines(table),
        *scoring_sentences(table),
        *_figures(table),
        *_intervals(table),
        *_tests(statistics.family),
        *_lesion_free(table),
        *_references(table),
        *_seconds(table),
    ]
    return " ".join(said)


def _whom(table: Table) -> str:
    protocol = table.protocol
    ill = sum(volume > 0 for volume in volumes_of(table).values())
    free = len(volumes_of(table)) - ill
    count = f"{counted(ill, 'subject')} with a lesion" + (f" and {free} without" if free else "")
    who = f"{table.title}, split {table.split}" + (f": {count}." if ill or free else ".")
    grid = f"the {protocol.grid} grid"
    if protocol.spacing_mm is not None:
        grid += f" of {millimetres(protocol.spacing_mm)}"
    where = "within the brain" if protocol.region == "brain" else f"region {protocol.region}"
    return f"{who} Anomaly maps were measured on {grid}, {where}."


def _pipelines(table: Table) -> str:
    protocol = table.protocol
    if len(table.views) == 1:
        return f"They are {_chain(protocol.chains[0])}."
    window = f" over {window_text(protocol, ' here')}" if protocol.median_mm else ""
    if table.view != VALIDATED:
        return "They are raw." if table.view == RAW else f"They are filtered: a 3-D median{window}."
    own = [row for row in table.rows if short_pipeline(table, row)]
    unknown = [row.label for row in own if row.choice.why == "unknown"]
    how = "whichever had the higher Dice on the validation subjects"
    if len(unknown) == len(own):
        how = "filtered here, for " + (
            "there are no validation subjects to choose on"
            if without_validation(table)
            else "no validation Dice is recorded"
        )
    return f"One row a method, its maps raw or filtered by a 3-D median{window}, {how}."


def _chain(name: str) -> str:
    return "raw" if name == RAW else f"processed by {name}"


def _figures(table: Table) -> list[str]:
    return [*_dice(table), *_ap(table), *_ranked_otherwise(table)]


def _dice(table: Table) -> list[str]:
    """Say what Dice is and on whom its threshold was frozen; or that there is no threshold, so that its column is empty."""
    title = title_of(RANKING)
    if not has_threshold(table):
        why = (
            "there are no validation subjects" if without_validation(table) else "none is recorded"
        )
        return [f"No threshold is frozen, for {why}: no method has a {title}."]
    return [
        f"{title}: mean over subjects with a lesion of {metric_at(RANKING).metric.definition}, at the threshold "
        f"{RANKING_POINT.name}, frozen on {frozen_on(table)}."
    ]


def _ap(table: Table) -> list[str]:
    if not any(row.figures["ap"].value is not None for row in table.rows):
        return []
    return [
        f"{title_of('ap')}: average precision within each of these subjects, no threshold, mean over them."
        if has_threshold(table)
        else f"{title_of('ap')}: average precision within each subject with a lesion, no threshold, mean over them."
    ]


def _ranked_otherwise(table: Table) -> list[str]:
    lines = []
    if table.metric not in (RANKING, "ap"):
        lines.append(f"{title_of(table.metric)}: {metric_at(table.metric).metric.definition}")
    if table.metric != RANKING:
        lines.append(f"Ranked by {title_of(table.metric)}, which was asked for.")
    return lines


def _intervals(table: Table) -> list[str]:
    shown = dict.fromkeys((table.metric, RANKING, "ap", CLEAN, FALSE_ML))
    if all(row.figures[key].low is None for row in table.shown for key in shown):
        ill = sum(volume > 0 for volume in volumes_of(table).values())
        few = 0 < ill < FEWEST
        return [f"No 95 % intervals: fewer than {FEWEST} subjects with a lesion."] if few else []
    seeds = {len(row.by_seed) for row in table.rows if row.chance and row.by_seed}
    about = "over subjects and seeds"
    if seeds == {1}:
        about = "over subjects, of the one training that each method has"
    elif 1 in seeds:
        about = "over subjects and seeds, with one seed over subjects"
    elif not seeds:
        about = "over subjects"
    return [f"In brackets 95 % intervals, {about}."]


def _tests(family: Family | None) -> list[str]:
    if family is None or not family.tests:
        return []
    pairs = len(family.tests)
    corrected = f"corrected over {pairs} pairs (step-down max-T)" if pairs > 1 else "one pair"
    lines = [
        f"Methods that share a letter are not told apart, which is no proof that they are equal: differences in {title_of(family.metric)} over "
        f"{counted(len(family.subjects), 'subject')}, tested by flips of their signs, 5 %, {corrected}.",
        "Difference to the best: of the means"
        + (
            ", in brackets the 95 % interval of that one pair, not corrected."
            if any(test.low is not None for test in family.tests)
            else "."
        ),
    ]
    return lines


def _lesion_free(table: Table) -> list[str]:
    if not any(row.values.get(CLEAN) for row in table.rows):
        return []
    return [
        f"Lesion-free: share of the subjects without a lesion in whom nothing is detected at {RANKING_POINT.name}, and the "
        "volume that is detected in them, mean over all of them."
    ]


def _references(table: Table) -> list[str]:
    if not table.references:
        return []
    computed = {row.label for row in table.references if not row.runs}
    text = "References are no entrants and in no test"
    if computed:
        text += ": 'nothing' detects nothing, 'everything' the whole brain"
    return [f"{text}."]


def _seconds(table: Table) -> list[str]:
    devices = list(
        dict.fromkeys(str(row.costs["device"]) for row in table.rows if row.costs.get("device"))
    )
    if not any(row.costs.get("seconds_per_volume") is not None for row in table.rows):
        return []
    on = f" on {'; '.join(devices)}" if devices else ""
    several = any(len(row.seeds) > 1 for row in table.rows)
    of = "; of several seeds the shortest" if several else ""
    return [f"s/volume: seconds to score one volume{on}, without reading and post-processing{of}."]
