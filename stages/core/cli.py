"""How a stage or a command takes its arguments, and how it ends on bad input."""

import argparse
import inspect
import sys
from collections.abc import Callable

from stages.core.errors import InputError


def run_stage(main: Callable[..., None]) -> None:
    """Call `main` with the command line's arguments; on bad input print one line and exit with 1.

    A keyword-only parameter of `main` is a flag: `dry_run` is set by `--dry-run`.
    """
    parameters = inspect.signature(main).parameters.values()
    flags = {f"--{one.name.replace('_', '-')}": one.name for one in parameters if one.kind is one.KEYWORD_ONLY}
    expected = [f"<{one.name}>" for one in parameters if one.kind is not one.KEYWORD_ONLY]
    given = {flags[word]: True for word in sys.argv[1:] if word in flags}
    arguments = [word for word in sys.argv[1:] if word not in flags]
    if len(arguments) != len(expected):
        names = " ".join([*expected, *(f"[{flag}]" for flag in flags)]) or "none"
        sys.exit(f"error: {sys.argv[0]}: {len(arguments)} arguments given, expected {names}")
    try:
        main(*arguments, **given)
    except InputError as error:
        sys.exit(f"error: {error}")


def run_command(main: Callable[..., None], parser: argparse.ArgumentParser) -> None:
    """Call `main` with what `parser` makes of the command line; on bad input print one line and exit with 1."""
    arguments = vars(parser.parse_args())
    try:
        main(**arguments)
    except InputError as error:
        sys.exit(f"error: {error}")
