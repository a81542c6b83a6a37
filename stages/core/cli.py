"""How a stage or a command takes its arguments, and how it ends on bad input."""

import argparse
import importlib
import inspect
import os
import sys
from collections.abc import Callable

from stages.core.errors import InputError, printable

TRACEBACK_VARIABLE = "STAGES_TRACEBACK"
NOT_OPTIONS = ("params", "root")  # arguments of a `main` that only Python code gives


def warn(message: str) -> None:
    """One line on stderr about what goes on, but not as wanted."""
    print(f"warning: {message}", file=sys.stderr, flush=True)


def run_stage(main: Callable[..., None]) -> None:
    """Call `main` with the command line's arguments: positional parameters, and an option for each keyword.

    It is a flag, or takes a text where the keyword's default is None.

    The help text is the first paragraph of main's docstring.
    """
    module = inspect.getmodule(main)
    name = module.__spec__.name if module.__spec__ else module.__name__
    main = getattr(importlib.import_module(name), main.__name__)  # not of __main__: other processes do not find that
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=(main.__doc__ or "").partition("\n\n")[0])
    for parameter in inspect.signature(main).parameters.values():
        if parameter.name in NOT_OPTIONS:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is None:
            parser.add_argument(f"--{parameter.name.replace('_', '-')}", help="see the description")
        elif parameter.kind is parameter.KEYWORD_ONLY:
            parser.add_argument(f"--{parameter.name.replace('_', '-')}", action="store_true")
        else:
            parser.add_argument(parameter.name, help=f"name of the {parameter.name} in params.yaml")
    run_command(main, parser)


def run_command(main: Callable[..., None], parser: argparse.ArgumentParser) -> None:
    """Call `main` with what `parser` makes of the command line; on bad input print one line and exit with 1.

    `--traceback`, or the environment variable STAGES_TRACEBACK, shows where in the code the error came from.
    """
    parser.add_argument("--traceback", action="store_true", help="show where in the code an error came from")
    arguments = vars(parser.parse_args())
    wanted = arguments.pop("traceback") or TRACEBACK_VARIABLE in os.environ
    try:
        main(**arguments)
    except InputError as error:
        if wanted:
            raise
        sys.exit(f"error: {printable(str(error))}")
