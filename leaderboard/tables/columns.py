"""The columns of a leaderboard: what each shows, and what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from leaderboard.tables.measures import FALSE_POSITIVE_RATES, RANKING, TITLES
from leaderboard.tables.seeds import RESAMPLES, Estimate
from leaderboard.tables.table import Row, Table

DASH = "–"


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    header : str
        Its head.
    definition : str
        What it means, one sentence or two.
    cell : callable
        Row to text.
    priority : int
        Where there is little room, columns of high numbers are left out first.
    number : bool
        Whether it is aligned to the right.
    only : callable, optional
        Whether the column has anything to say in a table; always, if not given.
    narrow : str
        The head broken into lines, for a terminal; "" where it is short.
    """

    header: str
    definition: str
    cell: Callable[[Row], str]
    priority: int
    number: bool = True
    only: Callable[[Table], bool] | None = None
    narrow: str = ""


def with_interval(figure: Estimate) -> str:
    """Return ``0.712 [.61, .80]``, the interval where there is one."""
    if figure.value is None:
        return DASH
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    low, high = (f"{limit:.2f}".removeprefix("0") for limit in (figure.low, figure.high))
    return f"{figure.value:.3f} [{low}, {high}]"


def number(value: float | None, form: str = ".3f") -> str:
    """Return a number as text, a dash for None."""
    return DASH if value is None else format(value, form)


def _figure(key: str, form: str = ".3f") -> Callable[[Row], str]:
    return lambda row: number(row.figures[key].value, form)


def _limits(key: str) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        text = with_interval(row.figures[key])
        return text[text.index("[") :] if "[" in text else DASH

    return cell


def _rates(row: Row) -> str:
    rates = [row.figures[f"test_fpr@{name}"].value for name in FALSE_POSITIVE_RATES]
    if None in rates:
        return DASH
    return ", ".join(f"{100 * rate:.2g} %" for rate in rates if rate is not None)


def _interval(key: str) -> Callable[[Row], str]:
    return lambda row: with_interval(row.figures[key])


def _cost(key: str, form: Callable[[Any], str]) -> Callable[[Row], str]:
    return lambda row: DASH if row.costs[key] in (None, "") else form(row.costs[key])


def _oracle(row: Row) -> str:
    value, gap = row.figures["dice@oracle"].value, row.oracle_gap
    if value is None or gap is None:
        return DASH
    return f"({value:.3f}, {format(gap, '+.3f').replace('0.', '.', 1)})"


def _spread(row: Row) -> str:
    spread = row.figures[RANKING].seed_sd
    return DASH if spread is None else f"{spread:.3f}"


def _training(row: Row) -> str:
    seconds, steps = row.costs["training_seconds"], row.costs["training_steps"]
    if seconds is None and steps is None:
        return DASH
    return f"{number(seconds, ',.0f')} / {number(steps, ',.0f')}"


def significant(value: float) -> str:
    """Return a number to three digits or as a whole number: 4.56, 1,234; what is tiny as <0.01."""
    if 0 < value < 0.01:
        return "<0.01"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _seeds(row: Row) -> str:
    return ", ".join(str(seed) for seed in row.seeds)


def _many_seeds(table: Table) -> bool:
    return any(len(row.runs) > 1 for row in table.rows)


COLUMNS: tuple[Column, ...] = (
    Column(
        "#",
        "Rank by Dice@val-dice, best first; equal values share a rank. Every row is ranked: a method stands in "
        "the table once for each post-processing.",
        lambda row: DASH if row.rank is None else str(row.rank),
        0,
    ),
    Column("Method", "The method.", lambda row: row.label, 0, number=False),
    Column(
        "Maps",
        "Post-processing of the anomaly maps, the same for all methods: raw, or filtered by a 3-D median of that "
        "many voxels.",
        lambda row: row.chain,
        0,
        number=False,
    ),
    Column("Seeds", "Seeds of the runs behind the row.", _seeds, 8, number=False),
    Column(
        "Dice@val-dice",
        "Mean per-subject Dice 2|P∩T|/(|P|+|T|) at the threshold that maximises it on the validation split; in "
        "brackets the 95 % interval over subjects (bootstrap). Both masks empty: 1; one empty: 0. Ranks. With "
        "several seeds: the mean over seeds, and the interval of the subjects' values averaged over seeds "
        f"({RESAMPLES:,} resamples).",
        _interval(RANKING),
        0,
        narrow="Dice\n@val-dice",
    ),
    Column(
        "SD over seeds",
        "Standard deviation of Dice@val-dice over the seeds; no part of the interval over subjects.",
        _spread,
        2,
        only=_many_seeds,
        narrow="SD over\nseeds",
    ),
    Column(
        "Median Dice",
        "Median over subjects of Dice@val-dice; with several seeds of the subjects' means over them.",
        lambda row: number(row.figures[RANKING].median),
        7,
        narrow="Median\nDice",
    ),
    Column(
        "(oracle, gap)",
        "Mean Dice at the best threshold of the test split itself, and what it gains over Dice@val-dice. An upper "
        "bound that no user can reach without the answers: it never ranks.",
        _oracle,
        2,
        narrow="(oracle,\ngap)",
    ),
    Column(
        "Dice@val-fpr5",
        "Mean Dice at the threshold above which 5 % of the lesion-free brain voxels of the validation split lie.",
        _figure("dice@val-fpr5"),
        6,
        narrow="Dice\n@val-fpr5",
    ),
    Column(
        "Dice@val-fpr1",
        "The same at 1 %.",
        _figure("dice@val-fpr1"),
        8,
        narrow="Dice\n@val-fpr1",
    ),
    Column(
        "Dice@yen",
        "Mean Dice at Yen's threshold, found per volume, then one binary dilation (6 neighbours).",
        _figure("dice@yen"),
        7,
        narrow="Dice\n@yen",
    ),
    Column(
        "AP per subject",
        "Average precision (step-wise) within each subject, mean over the subjects that have a lesion; in "
        "brackets the 95 % interval over subjects.",
        _interval("ap"),
        1,
        narrow="AP\nper subject",
    ),
    Column(
        "Pooled AP",
        "Average precision over all brain voxels of all subjects together; large lesions weigh most.",
        _figure("pooled_ap"),
        1,
        narrow="Pooled\nAP",
    ),
    Column(
        "Pooled AP, 95 %",
        "Its interval over subjects (bootstrap); with several seeds that of their mean.",
        _limits("pooled_ap"),
        11,
        narrow="Pooled AP\n95 %",
    ),
    Column(
        "AUROC",
        "Area under the ROC curve over all brain voxels of all subjects together. It saturates where lesions are "
        "small: shown, never ranks.",
        _figure("pooled_auroc"),
        5,
    ),
    Column(
        "FPR on test (1 %, 5 %)",
        "Share of the lesion-free brain voxels of the test split above val-fpr1 and val-fpr5, thresholds meant to "
        "let 1 % and 5 % pass: how well a rate frozen on the validation split holds.",
        _rates,
        9,
        narrow="FPR on test\n(1 %, 5 %)",
    ),
    Column(
        "HD95 (mm)",
        "95th percentile of the distances between the surfaces of detection and lesion at val-dice, mean over the "
        "subjects where neither is empty.",
        _figure("hd95@val-dice", ".1f"),
        9,
        narrow="HD95\n(mm)",
    ),
    Column(
        "ASSD (mm)",
        "Average symmetric surface distance at val-dice, mean over the same subjects.",
        _figure("assd@val-dice", ".1f"),
        12,
        narrow="ASSD\n(mm)",
    ),
    Column(
        "Lesion F1",
        "Harmonic mean of lesion-wise sensitivity (a lesion, 26-connected, is found when a tenth of it is detected) "
        "and precision (detections that touch a lesion) at val-dice, mean over subjects with a lesion.",
        _figure("lesion_f1@val-dice"),
        8,
        narrow="Lesion\nF1",
    ),
    Column(
        "FP lesions",
        "Detections that touch no lesion, per volume, at val-dice.",
        _figure("false_positive_lesions@val-dice", ".1f"),
        12,
        narrow="FP\nlesions",
    ),
    Column(
        "Prevalence",
        "Share of lesion voxels among those scored: the pooled average precision of a map of chance.",
        lambda row: number(row.figures["prevalence"].value, ".4f"),
        9,
    ),
    Column(
        "s/volume",
        "Seconds to score one volume, without reading and post-processing.",
        _cost("seconds_per_volume", significant),
        3,
        narrow="s/\nvolume",
    ),
    Column(
        "Memory (MiB)",
        "Peak memory while scoring, of the accelerator or else of the process.",
        _cost("peak_memory_mb", lambda value: f"{value:,.0f}"),
        10,
        narrow="Memory\n(MiB)",
    ),
    Column(
        "Calls/slice",
        "How often the network is applied per slice.",
        _cost("network_calls_per_slice", significant),
        10,
        narrow="Calls\n/slice",
    ),
    Column(
        "Parameters",
        "Learnt parameters of the network; 0 without one.",
        _cost("parameters", lambda value: f"{value:,.0f}"),
        10,
    ),
    Column(
        "Training (s / steps)",
        "Wall-clock seconds and optimiser steps of the training.",
        _training,
        11,
        narrow="Training\n(s / steps)",
    ),
    Column(
        "Healthy slices from",
        "Where the healthy training slices come from: lesion-free slices of patients, or healthy people.",
        _cost("healthy_source", str),
        11,
        number=False,
        narrow="Healthy\nslices from",
    ),
    Column("Device", "What the volumes were scored on.", _cost("device", str), 13, number=False),
)  # fmt: skip


def columns_of(table: Table) -> list[Column]:
    """Columns that have something to say in a table, in order; what ranks is never left out."""
    columns = [column for column in COLUMNS if column.only is None or column.only(table)]
    if table.metric == RANKING:
        return columns
    title = TITLES[table.metric]
    text = f"Rank by {title}, asked for instead of Dice@val-dice, by which the protocol ranks; best first."
    columns[0] = replace(columns[0], definition=text)
    own = next((column for column in columns if column.header == title), None)
    if own is None:
        text = (
            f"The record's {table.metric}, mean over subjects, with its 95 % interval. Ranks here."
        )
        own = Column(title, text, _interval(table.metric), 0)
        columns.insert(4, own)
    return [replace(column, priority=0) if column is own else column for column in columns]
