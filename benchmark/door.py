"""The command line's door: runs it, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from andi_bench.errors import UserError, unknown_name
from benchmark.cli.app import app
from benchmark.cli.shared.every_command import switch_tracebacks, tracebacks


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    given = sys.argv[1:] if arguments is None else arguments
    switch_tracebacks(False)
    printed = _Watched(sys.stdout)
    with contextlib.redirect_stdout(printed):
        try:
            code = app(given, standalone_mode=False)
        except KeyboardInterrupt:
            _say("stopped")
            raise SystemExit(130) from None
        except SystemExit:  # so click ends where nobody reads its output any more
            printed.require_written()
            raise
        except Exception as error:
            printed.require_written()
            message, code = _told(error)
            if tracebacks():
                traceback.print_exc()
            _say(message)
            raise SystemExit(code) from error
        printed.require_written()
    raise SystemExit(code if isinstance(code, int) else 0)


class _Watched:
    """Standard output, which remembers that it could not be written: a full disk, a closed pipe."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._remembering():
            return int(self._stream.write(text)) if self._stream is not None else len(text)

    def flush(self) -> None:
        with self._remembering():
            if self._stream is not None:  # closed before we were started
                self._stream.flush()

    @contextlib.contextmanager
    def _remembering(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._error = error
            raise

    def require_written(self) -> None:
        """End with one line and exit code 1 where something that was printed is lost."""
        with contextlib.suppress(OSError):
            self.flush()
        if self._error is None:
            return
        # Else the interpreter tries once more as it ends, and shows a traceback.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        why = self._error.strerror or str(self._error)
        _say(f"standard output cannot be written ({why}); files that were made are kept")
        raise SystemExit(1) from self._error


def _say(message: str) -> None:
    with contextlib.suppress(OSError):  # stderr may be as full
        print(f"andi-bench: {message}", file=sys.stderr, flush=True)


def _told(error: Exception) -> tuple[str, int]:
    """Return the line that says what went wrong, and the exit code."""
    if isinstance(error, UserError):
        return str(error), 2
    usage = _usage_message(error)
    if usage is not None:
        return usage, 2
    if type(error).__name__ == "Interrupted":
        return str(error), 130
    first = str(error).splitlines()[0] if str(error) else ""
    return f"internal error: {type(error).__name__}: {first} (--debug shows where)", 1


_CHOICE = re.compile(
    r"Invalid value for '(?P<option>.*?)': .*?'(?P<found>.*)' is not one of (?P<valid>.*)\.$"
)


def _usage_message(error: Exception) -> str | None:
    """Return the one line of an error of the command line's own parser; None for any other error."""
    if not hasattr(error, "format_message"):
        return None
    message = " ".join(str(error.format_message()).split())
    choice = _CHOICE.match(message)
    if choice is not None:
        valid = re.findall(r"'(.*?)'", choice["valid"])
        return str(unknown_name(f"value of {choice['option']}", choice["found"], valid))
    return message or "see --help"
