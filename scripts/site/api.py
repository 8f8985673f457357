"""Reference of the Python that others build on: a page an area, filled by mkdocstrings from the docstrings."""

from __future__ import annotations

from pathlib import Path

AREAS: dict[str, tuple[str, tuple[str, ...]]] = {
    "detectors": (
        "What a method is written with",
        (
            "methods/base.py",
            "methods/networks",
            "methods/diffusion",
            "methods/corruptions",
            "andi_bench/randomness.py",
        ),
    ),
    "data-sets": (
        "What a data set is written with",
        (
            "datasets/volume.py",
            "datasets/subject.py",
            "datasets/splits.py",
            "datasets/persons.py",
            "datasets/adapters/base.py",
        ),
    ),
    "metrics": ("Every formula, and the operating points", ("andi_bench/metrics",)),
    "records": ("Run records: read, search, write", ("andi_bench/records",)),
    "comparisons": (
        "Comparisons, their statistics, exports and figures",
        (
            "leaderboard/compare.py",
            "leaderboard/statistics",
            "leaderboard/exports/formats.py",
            "leaderboard/figures/gallery.py",
        ),
    ),
}
"""Page, its title, and the modules and folders on it."""


def modules(root: Path, places: tuple[str, ...]) -> list[str]:
    """Return the names of the modules in some files and folders, in order."""
    found = []
    for place in places:
        path = root / place
        files = [path] if path.suffix else sorted(path.rglob("*.py"))
        for file in files:
            if file.name != "__init__.py":
                found.append(".".join(file.relative_to(root).with_suffix("").parts))
    return found


def api_pages(root: Path) -> dict[str, str]:
    """Return the pages by their places in the site."""
    pages = {}
    for name, (title, places) in AREAS.items():
        parts = [f"# {title}", ""]
        for module in modules(root, places):
            parts += [f"## {module}", "", f"::: {module}", ""]
        pages[f"reference/api/{name}.md"] = "\n".join(parts)
    return pages
