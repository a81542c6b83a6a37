"""The one kind of error a user can cause, and how a stage ends on it."""

import inspect
import sys
from collections.abc import Callable


class InputError(Exception):
    """Bad input: the message is one line that names the file, the key and what was expected."""


def run_stage(main: Callable[..., None]) -> None:
    """Call `main` with the command line's arguments; on bad input print one line and exit with 1."""
    expected = list(inspect.signature(main).parameters)
    arguments = sys.argv[1:]
    if len(arguments) != len(expected):
        names = " ".join(f"<{name}>" for name in expected) or "none"
        sys.exit(f"error: {sys.argv[0]}: {len(arguments)} arguments given, expected {names}")
    try:
        main(*arguments)
    except InputError as error:
        sys.exit(f"error: {error}")
