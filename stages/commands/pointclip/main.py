"""The command `pointclip`: objects of one's own, from the shell."""

import argparse
import atexit
import gc
import importlib
import os
import sys
from typing import NoReturn

from stages.core.cli import TRACEBACK_VARIABLE
from stages.core.errors import InputError, printable

# Every subcommand is a module beside this one with `add_parser(commands)`: it adds its parser and sets its `run`, which
# takes the parsed arguments and gives the exit status. They import what is slow inside `run`.
COMMANDS = ("classify", "parts", "boxes", "index", "search", "serve", "paper", "sweep")

# Starting makes millions of objects that stay; with Python's threshold of 700 a sixth of that time is looking at them.
OBJECTS_A_COLLECTION = 100_000


def main(arguments: list[str] | None = None) -> None:
    """Run the subcommand that `arguments` name; on bad input print one line, exit with 1.

    None stands for the command line's, and the process ends with the subcommand.
    """
    gc.set_threshold(OBJECTS_A_COLLECTION)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # torch's threads would spin for the cores they share
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold bytes that are no text
    asked = parser().parse_args(arguments)
    try:
        status = asked.run(asked)
        sys.stdout.flush()
    except InputError as error:
        if asked.traceback or TRACEBACK_VARIABLE in os.environ:
            raise
        sys.exit(f"error: {printable(str(error))}")
    except BrokenPipeError:  # whoever reads stdout has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    if arguments is None:
        _end_process(status)
    if status:
        sys.exit(status)


def _end_process(status: int) -> NoReturn:
    """Do what waits for the end of the process, and end it.

    Python would free the modules of torch one object at a time first, which takes as long as naming a few meshes.
    """
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(status)


def parser() -> argparse.ArgumentParser:
    """The parser of the command with all its subcommands."""
    whole = argparse.ArgumentParser(
        prog="pointclip",
        description="What your own meshes and point clouds are, from the shell.",
        epilog='example:\n  pointclip classify chair.obj scans/ --labels "chair, floor lamp, cactus"\n\n'
        "pointclip <command> --help tells all options of a command, with an example",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(title="commands", metavar="<command>", required=True)
    for name in COMMANDS:
        importlib.import_module(f"stages.commands.pointclip.{name}").add_parser(commands)
    for one in commands.choices.values():
        one.add_argument("--traceback", action="store_true", help="show where in the code an error came from")
    return whole
