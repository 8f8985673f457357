"""The command line's door: runs it, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import re
import sys
import traceback

from andi_bench.errors import UserError, unknown_name
from benchmark.cli import debugging
from benchmark.cli.app import app


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    given = sys.argv[1:] if arguments is None else arguments
    debugging.switch(False)
    try:
        code = app(given, standalone_mode=False)
    except KeyboardInterrupt:
        print("andi-bench: stopped", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        message, code = _told(error)
        if debugging.tracebacks():
            traceback.print_exc()
        print(f"andi-bench: {message}", file=sys.stderr)
        raise SystemExit(code) from error
    raise SystemExit(code if isinstance(code, int) else 0)


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
