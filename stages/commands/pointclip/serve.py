"""`pointclip serve`."""

import argparse

from stages.core.errors import InputError


def add_parser(commands) -> None:
    """Add the parser of `serve`."""
    parser = commands.add_parser("serve", help="not there yet")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Not there yet."""
    raise InputError("pointclip serve: not there yet")
