"""A reporting checklist, filled in as far as run records tell; what only authors can say is marked as open.

After CLAIM, the Checklist for Artificial Intelligence in Medical Imaging (2024 update; Tejani et al., *Radiology: Artificial
Intelligence*, 2024), and Metrics Reloaded (Maier-Hein, Reinke et al., *Nature Methods*, 2024). The wording is ours, the order
theirs; items have no numbers here, for the published lists are what a journal asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leaderboard.compare import Comparison
from leaderboard.exports import checklist_facts as facts
from leaderboard.exports.checklist_facts import Seen
from leaderboard.exports.markdown_cells import escaped
from leaderboard.words.methods_text import dated
from leaderboard.words.pipeline_text import title_in_words


@dataclass(frozen=True)
class Item:
    """One item.

    Parameters
    ----------
    asks : str
        What it asks for.
    known : callable, optional
        From a table to what its records tell; "" where they tell nothing.
    left : str
        What is left for the authors, whatever the records tell; "" where nothing is.
    """

    asks: str
    known: Callable[[Seen], str] | None = None
    left: str = ""


Sections = tuple[tuple[str, Sequence[Item]], ...]

CLAIM: Sections = (
    (
        "Title, abstract, introduction",
        (
            Item("The title names the kind of method", facts.methods, "the title"),
            Item("Abstract: design, methods, results, conclusions", facts.result, "the abstract"),
            Item("Background: the clinical question, and what the method would be used for"),
            Item("Aims and hypotheses"),
        ),
    ),
    (
        "Study design and data",
        (
            Item("Prospective or retrospective"),
            Item("Goal of the study"),
            Item(
                "Sources of the data",
                facts.data,
                "where, when and by whom the scans were acquired; licence",
            ),
            Item("Criteria for inclusion and exclusion"),
            Item("Preprocessing", facts.preprocessing),
            Item("Selection of parts of the data", facts.healthy_slices),
            Item("De-identification"),
            Item("Missing data", facts.missing),
            Item("Acquisition: scanners, field strengths, sequences"),
        ),
    ),
    (
        "Reference standard",
        (
            Item("What counts as a lesion, and how it was outlined"),
            Item("Why this reference standard"),
            Item("Who outlined the lesions, with what training and tools"),
            Item("How the test subjects were outlined, if otherwise"),
            Item("Variability between those who outlined, and of each of them"),
        ),
    ),
    (
        "Partitions and size",
        (
            Item(
                "How subjects were assigned to training, validation and test",
                facts.data,
                "the rule: published lists, a hash of the person, or your own",
            ),
            Item("Level at which the partitions are disjoint", facts.disjoint),
            Item("Size of the test set, and how it was decided", facts.sizes, "how it was decided"),
        ),
    ),
    (
        "Models and training",
        (
            Item("Description of the models", facts.methods),
            Item("Software", facts.software),
            Item("Initialisation of the weights", facts.seeds),
            Item("Training", facts.training),
            Item("How the final model was chosen", facts.checkpoint),
            Item("Ensembles", facts.ensembling),
        ),
    ),
    (
        "Evaluation",
        (
            Item("Metrics", facts.metrics),
            Item("Statistical tests and uncertainty", facts.measured),
            Item("Robustness, sensitivity", facts.sensitivity),
            Item("Explanation of single results", left="whether, and how, maps were looked at"),
            Item("Test on data of the same source", facts.sizes),
            Item("Test on data of another source", facts.external),
            Item("Registration of the trial"),
        ),
    ),
    (
        "Results and discussion",
        (
            Item("Numbers included and excluded", facts.data, "who was excluded, and why"),
            Item(
                "Demographic and clinical characteristics of each partition",
                facts.grouped,
                "a table of them",
            ),
            Item("Performance with its uncertainty", facts.best),
            Item("Diagnostic performance and its precision", facts.of_scans),
            Item("Analysis of failures", facts.failures, "what they have in common"),
            Item("Limitations", facts.warnings, "those of your study"),
            Item("Implications for practice"),
        ),
    ),
    (
        "Other",
        (
            Item(
                "Access to protocol, code, models and data",
                facts.software,
                "where they can be had",
            ),
            Item("Funding, and the role of funders"),
        ),
    ),
)
"""The items of CLAIM, in its order."""

METRICS_RELOADED: Sections = (
    (
        "The problem",
        (
            Item(
                "Category: segmentation of lesions, their detection one by one, or both",
                facts.metrics,
                "which of them your question asks for",
            ),
            Item("Sizes of the target structures, beside the grid", facts.lesion_sizes),
            Item("Imbalance of classes", facts.prevalence),
            Item("Images without a target structure", facts.lesion_free),
            Item("Uncertainty of the outlines, and how exact borders must be"),
            Item("What a missed lesion and a false alarm cost"),
        ),
    ),
    (
        "The metrics",
        (
            Item("Why these metrics fit the question"),
            Item("How scores become decisions", facts.threshold),
            Item("How single values are put together", facts.measured),
            Item("Undefined values", facts.missing),
            Item(
                "Several scans of a person, several sites",
                facts.disjoint,
                "whether values within a site or a person hang together",
            ),
            Item("Uncertainty, and how stable the ranking is", facts.ranks),
            Item("Results in sub-groups", facts.grouped, "the groups that matter here"),
            Item("Runtime", facts.costs),
        ),
    ),
)
"""What Metrics Reloaded asks to think of and to report, in its order."""


def to_checklist(comparison: Comparison) -> str:
    """Return the checklist as Markdown, once a data set: its main table is what is told of.

    A ticked box: the records answer it. An empty one: open, or open in part, and then what is left is said before what is known.
    """
    parts = [
        "# Reporting checklist",
        "Filled in from run records, after CLAIM (2024 update; Tejani et al., Radiology: Artificial Intelligence, 2024) and Metrics Reloaded "
        "(Maier-Hein, Reinke et al., Nature Methods, 2024). The wording is not theirs and the items have no numbers: see the published lists. What "
        "records cannot tell is marked **OPEN**; what they tell has to be read before it is handed in.",
    ]
    for table in comparison.main_tables:
        seen = Seen(comparison, table, comparison.statistics_of(table))
        lists = {
            "CLAIM": _sections(CLAIM, seen),
            "Metrics Reloaded": _sections(METRICS_RELOADED, seen),
        }
        lines = [line for found in lists.values() for _, lines in found for line in lines]
        ticked = sum(line.startswith("- [x]") for line in lines)
        parts += [
            f"## {escaped(title_in_words(table))}",
            f"{escaped(dated(table))}.",
            f"{ticked} of {len(lines)} items answered by the records, {len(lines) - ticked} open.",
        ]
        for name, found in lists.items():
            parts.append(f"### {name}")
            for section, own in found:
                parts += [f"**{section}**", "\n".join(own)]
    return "\n\n".join(parts) + "\n"


def _sections(sections: Sections, seen: Seen) -> list[tuple[str, list[str]]]:
    return [(name, [_line(item, seen) for item in items]) for name, items in sections]


def _line(item: Item, seen: Seen) -> str:
    known = item.known(seen) if item.known is not None and seen.runs else ""
    if not known:
        return f"- [ ] {item.asks}. **OPEN**{f': {item.left}' if item.left else ''}."
    if item.left:
        return (
            f"- [ ] {item.asks}. **OPEN in part**: {item.left}. From the records: {escaped(known)}"
        )
    return f"- [x] {item.asks}. {escaped(known)}"
