"""What to try next with a run, by rules over the figures of its record; each says what it saw and what it would change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from andi_bench.metrics.lesionwise import LIMITS_ML, STRATA
from andi_bench.metrics.points import POINTS, RANKING, RANKING_POINT, UPPER_BOUND
from andi_bench.names import counted
from andi_bench.records.loss_curve import still_falling
from andi_bench.records.schema import EVERYTHING, LESION_FREE_APART, RunRecord
from leaderboard.words.one_run.run_results import chain_of_run, losses_of, subject_lines

GAP, GAP_SHARE = 0.03, 0.1
"""Dice that the frozen threshold may cost, absolutely and as a share of the best, before it is spoken of."""
SPREAD = 0.1
"""Dice that other validation subjects may move before it is spoken of."""
DRIFT = 2.0
"""A false-positive rate that comes out so many times higher or lower than asked for: scores have moved between the splits."""
WASTE = 0.5
"""Precision below this share of the sensitivity: most of what is detected is false."""
SMALL_ML, FEW_LESIONS, SMALL_SHARE = 1.0, 5, 0.5
"""Lesions below this volume; fewer are not judged; found below this share of how often larger ones are."""


@dataclass(frozen=True)
class Advice:
    """One thing to try.

    Parameters
    ----------
    rule : str
        Short name of the rule.
    seen : str
        What the record says, with its figures.
    tried : str
        What to change, or where to look.
    """

    rule: str
    seen: str
    tried: str


@dataclass(frozen=True)
class Evidence:
    """What the rules look at.

    Parameters
    ----------
    run : RunRecord
        Read from its folder.
    baselines : sequence of RunRecord
        On the same subjects (:func:`leaderboard.words.one_run.run_results.baselines_beside`).
    regions : mapping of str to float
        False-positive ml by region of the brain, where that was counted; {} elsewhere.
    """

    run: RunRecord
    baselines: Sequence[RunRecord] = ()
    regions: Mapping[str, float] = field(default_factory=dict)

    @property
    def chain(self) -> str:
        """The pipeline that stands for the run."""
        return chain_of_run(self.run)

    def mean(self, key: str) -> float | None:
        """Return a figure of the subjects, mean over them; None where undefined."""
        return _mean(self.run, self.chain, key)


def advice_of(evidence: Evidence) -> list[Advice]:
    """Return what to try next, what matters most first; [] where no rule fires, or for records of an older protocol."""
    if evidence.run.protocol.version < LESION_FREE_APART:
        return []
    return [found for rule in RULES if (found := rule(evidence)) is not None]


def _beaten_by_everything(evidence: Evidence) -> Advice | None:
    own, reference = evidence.mean(RANKING), evidence.run.references.get(EVERYTHING)
    found = reference.subjects.get(RANKING) if reference else None
    if own is None or found is None or found.mean is None or own > found.mean:
        return None
    return Advice(
        "no better than everything",
        f"Mean Dice {own:.3f} is no better than to detect the whole brain ({found.mean:.3f}).",
        "Look at the montages: are lesions darker than their surroundings (scoring.deviations, another modality), is the "
        "normalisation that of the training data, did the loss fall at all?",
    )


def _behind(evidence: Evidence) -> Advice | None:
    own = evidence.mean(RANKING)
    if own is None:
        return None
    ahead = []
    for other in evidence.baselines:
        value = _mean(other, chain_of_run(other), RANKING)
        if value is not None and value > own:
            ahead.append((value, other))
    if not ahead:
        return None
    value, best = max(ahead, key=lambda one: one[0])
    mine = {line.subject: line.dice for line in subject_lines(evidence.run, evidence.chain)}
    theirs = {line.subject: line.dice for line in subject_lines(best, chain_of_run(best))}
    pairs = [
        (mine[name], theirs[name])
        for name in mine
        if mine[name] is not None and theirs.get(name) is not None
    ]
    behind = sum(first < second for first, second in pairs)  # type: ignore[operator]
    return Advice(
        "behind a simple method",
        f"{best.run.label} has mean Dice {value:.3f} on the same subjects, this run {own:.3f}; it is ahead in {behind} of "
        f"{counted(len(pairs), 'subject')}.",
        f"Search the settings on validation subjects (tune --method {evidence.run.run.method}), or look at what {best.run.label} finds and "
        "this run does not: compare --html shows both maps side by side.",
    )


def _falling(evidence: Evidence) -> Advice | None:
    folder = evidence.run.folder
    known = losses_of(folder) if folder is not None else None
    fall = still_falling(known[1]) if known is not None else None
    if fall is None:
        return None
    steps = evidence.run.costs.training_steps
    return Advice(
        "loss still falling",
        f"The mean loss of the last fifth of the training is {100 * fall:.0f} % below that of the fifth before"
        + (f", after {counted(steps, 'step', form=',')}." if steps else "."),
        "More steps may help or not; validation subjects tell: --split val "
        + (f"--set training.steps={2 * steps}" if steps else "and a larger training.steps")
        + ", or another preset.",
    )


def _far_threshold(evidence: Evidence) -> Advice | None:
    frozen, best = evidence.mean(RANKING), evidence.mean(f"dice@{UPPER_BOUND.name}")
    if frozen is None or best is None or best - frozen < max(GAP, GAP_SHARE * best):
        return None
    points = evidence.run.operating_points.get(evidence.chain, {})
    shares = [
        points[name].test_fpr if name in points else None
        for name in (RANKING_POINT.name, UPPER_BOUND.name)
    ]
    where = ""
    if shares[0] is not None and shares[1] is not None:
        side = "high" if shares[0] < shares[1] else "low"
        where = (
            f"; it is too {side}: {100 * shares[0]:.2g} % of the lesion-free brain lies above it, "
            f"{100 * shares[1]:.2g} % above the best one"
        )
    count = evidence.run.protocol.subjects.get("val", 0)
    return Advice(
        "threshold far from the best",
        f"The frozen threshold gives Dice {frozen:.3f}, the test split's own best one {best:.3f}{where}.",
        f"More validation subjects, or ones more like the test subjects (there are {count}); the maps are better than this Dice says, "
        "so AP is the figure to develop by.",
    )


def _drifted(evidence: Evidence) -> Advice | None:
    points = evidence.run.operating_points.get(evidence.chain, {})
    worst: tuple[float, str] | None = None
    for name, point in POINTS.items():
        reached = points[name].test_fpr if name in points else None
        if point.rate is None or reached is None:
            continue
        ratio = reached / point.rate if reached else float("inf")
        off = max(ratio, 1 / ratio)
        if off >= DRIFT and (worst is None or off > worst[0]):
            said = f"{100 * point.rate:g} % of the lesion-free brain was to lie above {name}, on the test split it is {100 * reached:.2g} %."
            worst = off, said
    if worst is None:
        return None
    return Advice(
        "scores moved between the splits",
        worst[1],
        "Are the two splits of one scanner, and normalised alike (preprocessing.normalisation, preprocessing.bias)? compare --by site "
        "shows which site it is.",
    )


def _loose_threshold(evidence: Evidence) -> Advice | None:
    point = evidence.run.operating_points.get(evidence.chain, {}).get(RANKING_POINT.name)
    spread = point.spread if point is not None else None
    if spread is None or spread.dice_low is None or spread.dice_high is None:
        return None
    if spread.dice_high - spread.dice_low < SPREAD:
        return None
    return Advice(
        "threshold hangs on few subjects",
        f"With others in place of the {counted(spread.subjects, 'validation subject')} with a lesion, mean Dice would lie between "
        f"{spread.dice_low:.2f} and {spread.dice_high:.2f}.",
        "More validation subjects with a lesion; a difference to another method smaller than that means nothing yet.",
    )


def _false_positives(evidence: Evidence) -> Advice | None:
    precision = evidence.mean(f"precision@{RANKING_POINT.name}")
    sensitivity = evidence.mean(f"sensitivity@{RANKING_POINT.name}")
    if precision is None or sensitivity is None or precision >= WASTE * sensitivity:
        return None
    false = evidence.mean(f"false_positive_ml_lesion_free@{RANKING_POINT.name}")
    healthy = f"; {false:.0f} ml are detected in a subject without a lesion" if false else ""
    if evidence.regions:
        whole = sum(evidence.regions.values())
        top = max(evidence.regions, key=lambda name: evidence.regions[name])
        share = 100 * evidence.regions[top] / whole if whole else 0.0
        tried = f"{share:.0f} % of it lies in: {top}. A brain mask without that rim (evaluation.erosion), or training data that show more of it."
    else:
        tried = "Where they lie: show RUN --false-positives counts them by region and height."
    return Advice(
        "mostly false positives",
        f"Sensitivity {sensitivity:.2f}, precision {precision:.2f}: most of what is detected is no lesion{healthy}.",
        tried,
    )


def _small_lesions(evidence: Evidence) -> Advice | None:
    from leaderboard.tables.subject_values import read_subject_table

    assert evidence.run.folder is not None
    table = read_subject_table(evidence.run.folder, evidence.run.protocol.grid)
    point = RANKING_POINT.name
    below = LIMITS_ML.index(SMALL_ML) + 1
    small, large = (
        [
            sum(
                sum(table.column(evidence.chain, f"{kind} {stratum}", point).values())
                for stratum in strata
            )
            for kind in ("lesions_found", "lesions")
        ]
        for strata in (STRATA[:below], STRATA[below:])
    )
    if small[1] < FEW_LESIONS or large[1] < FEW_LESIONS:
        return None
    shares = small[0] / small[1], large[0] / large[1]
    if shares[0] >= SMALL_SHARE * shares[1]:
        return None
    filtered = evidence.chain != evidence.run.protocol.chains[0]
    return Advice(
        "small lesions are missed",
        f"Of {small[1]:.0f} lesions below {SMALL_ML:g} ml {100 * shares[0]:.0f} % are found, of {large[1]:.0f} larger ones "
        f"{100 * shares[1]:.0f} %.",
        ("A smaller filter (evaluation.median), and a" if filtered else "A")
        + " finer working grid (preprocessing.size, preprocessing.field_of_view): a voxel of a coarse one is larger than they are.",
    )


def _at_an_end(evidence: Evidence) -> Advice | None:
    point = evidence.run.operating_points.get(evidence.chain, {}).get(RANKING_POINT.name)
    if point is None or not point.edge:
        return None
    return Advice(
        "threshold at an end",
        "The best threshold on the validation subjects lies at an end of the scores.",
        "Lesions do not stand out at all on validation data, or everything does: look at the map before any figure.",
    )


RULES: tuple[Callable[[Evidence], Advice | None], ...] = (
    _beaten_by_everything,
    _at_an_end,
    _behind,
    _falling,
    _far_threshold,
    _drifted,
    _loose_threshold,
    _false_positives,
    _small_lesions,
)
"""In the order in which they matter."""


def _mean(run: RunRecord, chain: str, key: str) -> float | None:
    found = run.summary[chain].subjects.get(key) if chain in run.summary else None
    return found.mean if found is not None else None
