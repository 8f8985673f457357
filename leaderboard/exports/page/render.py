"""From a comparison to the page's files: everything inlined, no address of any server in it.

What comes from a record may have been written by anyone. It reaches the page in two ways only: through templates that
escape it, and as JSON in which no character can end the element that holds it. The page's own scripts are named by their
hashes in its content security policy, so nothing else runs, and nothing is fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from leaderboard.compare import Comparison
from leaderboard.exports.page.content import page_content, without_texts
from leaderboard.exports.page.images import Images, collect_images
from leaderboard.exports.page.whole_words import whole_words

LARGEST = 29_000_000
"""Bytes of a page in one file; previews that do not fit are left out, and the page says so."""
MARK = "andi-bench leaderboard"
IMAGES = "previews"
_OWN = re.compile(r"[0-9a-f]{20}")
_SCRIPTS = (
    "page.js",
    "previews.js",
    "planes.js",
    "table.js",
    "values.js",
    "shapes.js",
    "further.js",
    "figures.js",
    "thumbs.js",
    "viewer.js",
    "main.js",
)
_STYLES = ("page.css", "print.css")


def write_html(comparison: Comparison, path: Path, drawn: list[Path]) -> str:
    """Write the page and say what was left out of it; errors as for :func:`write_page`."""
    left_out = write_page(path, comparison)
    return str(path) + (f" ({left_out})" if left_out else "")


def write_page(path: Path, comparison: Comparison) -> str:
    """Write the page: one file where ``path`` ends in ``.html``, else a folder with ``index.html``.

    Parameters
    ----------
    path : Path
        File or folder.
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.

    Returns
    -------
    str
        What was left out, in words; "" for nothing.

    Raises
    ------
    UserError
        When it cannot be written, a record's file cannot be read, or the folder holds a page of something else.
    """
    content = page_content(comparison)
    if path.suffix.lower() in (".html", ".htm"):
        without = len(_page(content, Images(), inline=True).encode())
        images = collect_images(comparison, max(0, LARGEST - without - 200_000))
        write_atomically(path, _page(content, images, inline=True))
    else:
        _check_folder(path)
        images = collect_images(comparison, None)
        for name, text in images.blobs.items():
            write_atomically(path / IMAGES / f"{name}.js", f'andiBlob("{name}","{text}");\n')
        write_atomically(path / "index.html", _page(content, images, inline=False))
        for stale in (path / IMAGES).glob("*.js"):
            if _OWN.fullmatch(stale.stem) and stale.stem not in images.blobs:
                stale.unlink()  # of an earlier page in this folder
    left = images.found - images.kept - len(images.broken)
    words = [f"{left} of {images.found} previews did not fit"] if left else []
    return "; ".join([*words, *images.broken])


def embedded_json(value: Any) -> str:
    """Return JSON that cannot end, or be taken for a part of, the script element that it stands in."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _page(content: dict[str, Any], images: Images, *, inline: bool) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    own = files("leaderboard.exports.page") / "templates"
    scripts = [get_plotlyjs(), *((own / name).read_text(encoding="utf-8") for name in _SCRIPTS)]
    scripts = [text.replace("</script", "<\\/script") for text in scripts]
    environment = Environment(
        loader=PackageLoader("leaderboard.exports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["whole"] = whole_words
    data = {
        **without_texts(content),
        "scans": images.scans,
        "previews": images.shown,
        "left": images.found - images.kept - len(images.broken),
        "folder": None if inline else IMAGES,
    }
    # Markup: our own files, and JSON and base64 that hold no character with a meaning in HTML
    text = environment.get_template("page.html.j2").render(
        content,
        mark=MARK,
        definitions={
            column["header"]: column["definition"]
            for table in content["tables"]
            for column in table["columns"]
        },
        policy=_policy(scripts),
        style=Markup("\n".join((own / name).read_text(encoding="utf-8") for name in _STYLES)),
        scripts=[Markup(script) for script in scripts],
        data=Markup(embedded_json(data)),
        blobs={name: Markup(blob) for name, blob in images.blobs.items()} if inline else {},
        images=images,
    )
    return text.encode("utf-8", "replace").decode("utf-8")


def _policy(scripts: list[str]) -> str:
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts
    ]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; base-uri 'none'; "
        f"form-action 'none'; script-src {allowed} 'strict-dynamic'"
    )


def _check_folder(path: Path) -> None:
    """Refuse to write into a folder that holds a page of something else."""
    index = path / "index.html"
    try:
        if path.exists() and not path.is_dir():
            raise UserError(f"{path}: a folder, or a file that ends in .html, wanted")
        if (
            index.is_file()
            and MARK not in index.read_text(encoding="utf-8", errors="replace")[:2000]
        ):
            raise UserError(
                f"{index}: not a leaderboard's page; it is left as it is: another folder wanted"
            )
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
