"""What mkdocs calls: pages from the code, from the repository and from notebooks, added before the navigation is made."""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from scripts.site import catalogues, commands, notebooks, settings  # noqa: E402
from scripts.site.api import api_pages  # noqa: E402
from scripts.site.markdown import for_site, with_references  # noqa: E402

GENERATED: dict[str, Callable[[], str]] = {
    "reference/command-line.md": commands.command_line,
    "reference/configuration.md": settings.configuration,
    "reference/record.md": settings.record,
    "reference/methods.md": catalogues.methods,
    "reference/data-sets.md": catalogues.data_sets,
}

BESIDE = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "splits/README.md": "splits.md",
    "LICENSE": "LICENSE.txt",
    "NOTICE": "NOTICE.txt",
    "CITATION.cff": "CITATION.txt",
}
"""Documents of the repository that do not lie in docs/, and their places in the site."""

_sources: dict[str, str] = {}
"""Of each page of the site that is a document of the repository, the path there."""


def placed(path: str) -> str | None:
    """Return where a file of the repository stands in the site; None for what is no part of it."""
    if path == "README.md":
        return "index.md"
    if path in BESIDE:
        return BESIDE[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/").replace(".ipynb", ".md")
    shown = (".md", ".svg", ".png")
    return path if path.startswith("leaderboard/") and path.endswith(shown) else None


def on_files(files: Files, config: Any) -> Files:
    """Add all pages that are no files of docs/."""
    _sources.clear()
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            files.remove(file)
        else:
            _sources[file.src_uri] = f"docs/{file.src_uri}"
    for place, make in GENERATED.items():
        files.append(File.generated(config, place, content=make()))
    for place, text in api_pages(ROOT).items():
        files.append(File.generated(config, place, content=text))
    for path in _beside():
        place = placed(path)
        assert place is not None
        _sources[place] = path
        files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    for notebook in sorted((ROOT / "docs").rglob("*.ipynb")):
        _add_notebook(files, config, notebook)
    return files


def _beside() -> list[str]:
    """Return the documents, tables and figures of the repository that do not lie in docs/."""
    boards = ROOT / "leaderboard"
    found = [path for path in BESIDE if (ROOT / path).is_file()]
    found += [path.relative_to(ROOT).as_posix() for path in sorted(boards.glob("*.md"))]
    figures = [
        *(boards / "results").glob("*.png"),
        *(boards / "results" / "figures").rglob("*.svg"),
    ]
    return found + [path.relative_to(ROOT).as_posix() for path in sorted(figures)]


def _add_notebook(files: Files, config: Any, notebook: Path) -> None:
    source = notebook.relative_to(ROOT).as_posix()
    place = placed(source)
    assert place is not None
    text, pictures = notebooks.page(notebook)
    _sources[place] = source
    files.append(File.generated(config, place, content=text))
    for name, content in pictures.items():
        beside = posixpath.join(posixpath.dirname(place), name)
        _sources[beside] = beside
        files.append(File.generated(config, beside, content=content))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn what GitHub reads into what the builder reads."""
    at = page.file.src_uri
    source = _sources.get(at)
    if source is None:
        return markdown
    if source.endswith(".ipynb"):
        return for_site(markdown, source, lambda path: placed(path) or placed_picture(path), at)
    return for_site(markdown, source, placed, at)


def on_page_content(html: str, **_: Any) -> str:
    """Turn references of docstrings, such as ``:func:`name```, into links, where what they name has a place in the site."""
    return with_references(html)


def placed_picture(path: str) -> str | None:
    """Return where a picture of a notebook stands."""
    place = path.removeprefix("docs/")
    return place if place in _sources else None
