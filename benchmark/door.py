"""The command line's door: runs it, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import sys
import traceback

from andi_bench.errors import UserError
from benchmark.cli.app import app


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(given, standalone_mode=False)
    except UserError as error:
        if "--debug" in given:
            traceback.print_exc()
        print(f"andi-bench: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    except KeyboardInterrupt:
        print("andi-bench: stopped", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        message = _usage_message(error)
        if message is not None:
            print(f"andi-bench: {message}", file=sys.stderr)
            raise SystemExit(2) from error
        if type(error).__name__ == "Interrupted":
            print(f"andi-bench: {error}", file=sys.stderr)
            raise SystemExit(130) from error
        if "--debug" in given:
            raise
        first = str(error).splitlines()[0] if str(error) else ""
        print(
            f"andi-bench: internal error: {type(error).__name__}: {first} (--debug shows where)",
            file=sys.stderr,
        )
        raise SystemExit(1) from error
    raise SystemExit(code if isinstance(code, int) else 0)


def _usage_message(error: Exception) -> str | None:
    """Return the one line of an error of the command line's own parser; None for any other error."""
    if not hasattr(error, "format_message"):
        return None
    return " ".join(str(error.format_message()).split()) or "see --help"
