"""The one kind of error a user can cause, how its line is worded, and how a stage ends on it."""

import argparse
import inspect
import sys
from collections.abc import Callable

from pydantic import ValidationError


class InputError(Exception):
    """Bad input: the message is one line that names the file, the key and what was expected."""


def first_problem(error: ValidationError) -> str:
    """One line for what pydantic found wrong: the key's full name and what was expected."""
    problems = error.errors(include_url=False)
    # a misspelt key is both unknown and missing: the unknown one tells more
    problem = next((one for one in problems if one["type"] == "unexpected_keyword_argument"), problems[0])
    key = ".".join(str(part) for part in problem["loc"]) or "top level"
    if problem["type"] == "unexpected_keyword_argument":
        return f"{key}: unknown key"
    if problem["type"] == "missing":
        return f"{key}: missing"
    return f"{key}: {problem['msg']}, got {problem['input']!r}"


def one_line(error: Exception) -> str:
    """What `error` says, without line breaks."""
    return " ".join(str(error).split())


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
