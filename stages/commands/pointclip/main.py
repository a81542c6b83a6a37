"""The command `pointclip`: what your own meshes and clouds are, from the shell."""

import argparse
import gc
import importlib
import os
import sys

from stages.core.cli import TRACEBACK_VARIABLE
from stages.core.errors import InputError

# Every subcommand is a module beside this one with `add_parser(commands)`: it adds its parser and sets its `run`, which
# takes the parsed arguments and gives the exit status. They import what is slow inside `run`.
COMMANDS = ("classify", "parts", "boxes", "index", "search", "serve", "paper", "sweep")

# Starting makes millions of objects that stay; with Python's threshold of 700 a sixth of that time is looking at them.
OBJECTS_A_COLLECTION = 100_000


def main(arguments: list[str] | None = None) -> None:
    """Run the subcommand that `arguments` (None: the command line's) name; on bad input print one line, exit with 1."""
    gc.set_threshold(OBJECTS_A_COLLECTION)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # torch's threads would spin for the cores they share
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold bytes that are no text
    asked = parser().parse_args(arguments)
    try:
        status = asked.run(asked)
    except InputError as error:
        if asked.traceback or TRACEBACK_VARIABLE in os.environ:
            raise
        sys.exit(f"error: {error}")
    except BrokenPipeError:  # whoever reads stdout has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    if status:
        sys.exit(status)


def parser() -> argparse.ArgumentParser:
    """The parser of the command with all its subcommands."""
    whole = argparse.ArgumentParser(prog="pointclip", description=__doc__.partition(": ")[2])
    commands = whole.add_subparsers(title="commands", metavar="<command>", required=True)
    for name in COMMANDS:
        importlib.import_module(f"stages.commands.pointclip.{name}").add_parser(commands)
    for one in commands.choices.values():
        one.add_argument("--traceback", action="store_true", help="show where in the code an error came from")
    return whole
