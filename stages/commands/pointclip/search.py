"""`pointclip search`."""

import argparse

from stages.core.errors import InputError


def add_parser(commands) -> None:
    """Add the parser of `search`."""
    parser = commands.add_parser("search", help="not there yet")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Not there yet."""
    raise InputError("pointclip search: not there yet")
