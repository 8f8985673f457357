"""How differences are tested and intervals are made: what a reader must know, one item each."""

from __future__ import annotations

from andi_bench.metrics.compared import title_of
from andi_bench.metrics.mean_intervals import FEWEST
from andi_bench.metrics.resampling import MEAN_RESAMPLES, RANK_RESAMPLES
from andi_bench.records.schema import SMALLEST_GROUP
from leaderboard.statistics.group_tests import PERMUTATIONS
from leaderboard.statistics.pooled_swaps import SWAPS
from leaderboard.statistics.sign_flips import FLIPS, LISTED_UP_TO
from leaderboard.statistics.signed_ranks import EXACT_UP_TO
from leaderboard.words.promises import promises

_POOLED = title_of("pooled_ap")


def how_tested() -> tuple[str, ...]:
    """Return the items, in the order of reading."""
    return (
        "Intervals are 95 %. With several seeds they are about the method: other subjects and other trainings (two-way "
        "random effects, t with Satterthwaite's degrees of freedom). With one seed they are about that one training: "
        "other subjects alone. A method without chance has no seed. Of fewer than "
        f"{FEWEST} subjects there is none.",
        "Means in [0, 1] have Student's t on the logit of the mean, its standard error by the delta method; other means "
        f"bootstrap-t over subjects ({MEAN_RESAMPLES:,} resamples), widened for the trainings; {_POOLED} has Student's t on its "
        "logit, its standard error by the jackknife over subjects, the degrees of freedom those of as many subjects as "
        "would weigh the same with equal lesions.",
        f"Bootstraps draw subjects with a lesion and those without apart. {title_of('scan_auroc')}: DeLong's error, Student's t on the "
        "logit; where all scans are told apart, or of a kind fewer than three are there, Hoeffding's bound, which holds for all scores. "
        "FROC: a bootstrap of subjects with all their lesions, Student's t on the logit; with several seeds a little too wide. A share of subjects in which all agree: Clopper and Pearson.",
        *promises(),
        "Pipeline: raw maps or filtered ones, whichever has the higher mean Dice over the validation subjects with a lesion at "
        "their own threshold, mean over the seeds; equal ones: raw. Tables of raw maps alone and of filtered maps alone "
        "(--pipeline) have ranks and tests of their own.",
        "Subjects are the blocks of all tests. Only ranked rows take part, one a method; all pairs of a "
        "table's rows make one family. p (family) is corrected for the number of comparisons within a family.",
        "What ranks is what is tested: the mean difference over subjects, divided by its standard error, with the "
        "trainings' variance in it where there are several seeds. The signs of a subject's differences are flipped, of all pairs "
        f"together: all flips of up to {LISTED_UP_TO} subjects, else {FLIPS:,} at random (with seeds always at random), and p is how often the "
        "largest statistic of the family is as large, step-down (Westfall and Young). ≤ before p: the smallest that so many flips can give.",
        "Wilcoxon, a second opinion: signed ranks of the paired differences, two-sided, Holm's method within the family. "
        "Differences of 0 are left out, equal ones share their mean rank; exact with up to "
        f"{EXACT_UP_TO} differences other than 0. It judges how many subjects favour a row, not by how much; where it names another "
        "winner than the mean, the row says so. Effect: matched-pairs rank-biserial correlation, from -1 to 1; positive "
        "where the first is better. It knows nothing of trainings: it is about those that were run.",
        "Difference [95 %]: first less second, the interval that of this one pair: bootstrap-t.",
        f"{_POOLED}: two methods' histograms are swapped within subjects, scores replaced by their place in each method's own "
        f"ranking, {SWAPS:,} swaps at random or all there are; corrected within the family like the means. "
        "With several seeds the swapped histograms are the seeds' mean, and the trainings' variance counts as above.",
        "Group: rows that share a letter are not told apart by the tests (5 % within the family); that is no proof that they are equal.",
        "Rank: by the mean over subjects; equal means share the better rank. In brackets 95 % of the ranks in "
        f"{RANK_RESAMPLES:,} bootstraps of subjects and seeds, of one seed of subjects alone; that is no test, and of fewer than {SMALLEST_GROUP} subjects there are no brackets. By mean rank, and by how many rows are significantly worse: --schemes.",
        "SD subjects, SD seeds, SD subject x seed: where the spread of single values comes from, estimated from the mean squares; "
        "subject x seed holds whatever else varies.",
        "Power: for the typical pair of the family (median variance over subjects; over trainings that of the median row, of those with several seeds) at 5 % within the family, "
        "by Student's t with the degrees of freedom of so many subjects and seeds. Equivalence within a margin (--margin): "
        "two one-sided t tests, Holm's method within the family.",
        "Sub-groups (--by): a subject's Dice, and the difference of two methods' in it, is held between a group and all other subjects "
        f"(Welch's t), {PERMUTATIONS:,} permutations of the labels, one step-down correction over groups, methods and "
        f"pairs; for a pair it tells whether their difference depends on the group. No figure of fewer than {SMALLEST_GROUP} subjects.",
        "Kendall's tau-b: 1, two rankings agree; 0, they have nothing in common; -1, one is the other reversed; –: one of them ties all. Between data "
        f"sets: in brackets 95 % of {RANK_RESAMPLES:,} bootstraps of the subjects (and seeds) within each; p counts the orders of the methods that "
        "would agree as well, and so tells how little few methods can show.",
        "Bold: significantly better than every other ranked row. No bold: nobody is.",
    )
