"""`pointclip index`."""

import argparse

from stages.core.errors import InputError


def add_parser(commands) -> None:
    """Add the parser of `index`."""
    parser = commands.add_parser("index", help="not there yet")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Not there yet."""
    raise InputError("pointclip index: not there yet")
