"""The check that a detector keeps to itself: no file, no word, no global random state."""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from andi_bench.names import counted
from benchmark.conformance.candidate import FEW_STEPS, Candidate
from benchmark.conformance.learning import mean_loss
from benchmark.conformance.outcome import Failed

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
_opened: list[Path] | None = None
_hooked = False


@dataclass
class Observed:
    """What a stretch of code left behind.

    Parameters
    ----------
    printed : str
        On stdout and stderr.
    written : list of str
        Files opened for writing, or found in the working or the temporary folder.
    """

    printed: str = ""
    written: list[str] = field(default_factory=list)


def keeps_to_itself(candidate: Candidate) -> str:
    """Check that learning and scoring write no file, print nothing and touch no global random state."""
    run = candidate.variant(training={"steps": FEW_STEPS})
    volume, _ = candidate.phantom.volumes(run.preprocessing)
    candidate.phantom.slices(run.preprocessing)
    ours = candidate.folder, candidate.phantom.folder
    with observing(*ours):  # what libraries do at their first call is not the detector's
        learnt = candidate.learn(run)
        candidate.score(learnt, volume)
    actions: dict[str, Callable[[], object]] = {"score": lambda: candidate.score(learnt, volume)}
    if candidate.cls.learns():
        actions["fit"] = lambda: candidate.learn(run)
    if candidate.has_network:
        # The engine's loop fences off the global generator for dropout: here the fence is open.
        actions["loss"] = lambda: mean_loss(candidate, learnt)
    for name, action in actions.items():
        before = _random_states()
        with observing(*ours) as seen:
            action()
        if seen.printed:
            first = seen.printed.strip().splitlines() or [repr(seen.printed)]
            raise Failed(f"{name}: {counted(len(seen.printed), 'character')} printed: {first[0]}")
        if seen.written:
            raise Failed(
                f"{name}: {counted(len(seen.written), 'file')} written: {', '.join(seen.written)}"
            )
        after = _random_states()
        touched = [key for key in before if before[key] != after[key]]
        if touched:
            raise Failed(
                f"{name}: global random state of {', '.join(touched)} changed; "
                "draw from the SliceGenerator"
            )
    return f"{', '.join(sorted(actions))}: 0 files, 0 characters, 3 random states unchanged"


def _random_states() -> dict[str, bytes]:
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "random": repr(random.getstate()).encode(),
        "numpy.random": np.asarray(keys).tobytes() + repr((kind, rest)).encode(),
        "torch": torch.random.get_rng_state().numpy().tobytes(),
    }


@contextmanager
def observing(*engine_folders: Path) -> Iterator[Observed]:
    """Run a block in empty folders, with stdout and stderr caught, down to the file descriptors.

    Parameters
    ----------
    engine_folders : Path
        Where the engine itself may write.
    """
    seen = Observed()
    with tempfile.TemporaryDirectory() as parent, tempfile.TemporaryFile() as raw:
        folders = [Path(parent).resolve() / name for name in ("working", "temporary")]
        for folder in folders:
            folder.mkdir()
        text = io.StringIO()
        with (
            _elsewhere(*folders),
            _descriptors_to(raw.fileno()),
            contextlib.redirect_stdout(text),
            contextlib.redirect_stderr(text),
            warnings.catch_warnings(),
            _opened_for_writing() as opened,
        ):
            warnings.simplefilter("ignore")
            yield seen
        raw.seek(0)
        seen.printed = text.getvalue() + raw.read().decode(errors="replace")
        ours = [folder.resolve() for folder in engine_folders]
        theirs = {path for path in opened if not any(path.is_relative_to(o) for o in ours)}
        theirs |= {path for folder in folders for path in folder.rglob("*")}
        seen.written = sorted(path.name for path in theirs if "__pycache__" not in path.parts)


@contextmanager
def _descriptors_to(target: int) -> Iterator[None]:
    """Send what is written past Python's own streams to a file as well."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {number: os.dup(number) for number in (1, 2)}
    try:
        for number in saved:
            os.dup2(target, number)
        yield
    finally:
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                stream.flush()
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)


@contextmanager
def _elsewhere(working: Path, temporary: Path) -> Iterator[None]:
    here, folder = Path.cwd(), tempfile.tempdir
    try:
        os.chdir(working)
        tempfile.tempdir = str(temporary)
        yield
    finally:
        os.chdir(here)
        tempfile.tempdir = folder


@contextmanager
def _opened_for_writing() -> Iterator[list[Path]]:
    """Yield the files that Python code opens for writing while the block runs."""
    global _opened, _hooked
    if not _hooked:  # there is no taking an audit hook off: it looks at one variable and returns
        sys.addaudithook(_watch)
        _hooked = True
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _opened is None or event != "open":
        return
    path, _, flags = arguments
    if isinstance(flags, int) and flags & _WRITING and isinstance(path, str | bytes | os.PathLike):
        name = Path(os.fsdecode(path))
        if name != Path(os.devnull):
            _opened.append(Path.cwd() / name)
