"""`pointclip paper`: the published selection, run as one (a door to `stages.commands.reproduce`)."""

import argparse

from stages.commands.pointclip.options import must_be_checkout, new_parser

EXAMPLE = """
pointclip paper --check    # mirrors, disk, device, keys and weights, with what it will take
pointclip paper
"""


def add_parser(commands) -> None:
    """Add the parser of `paper`."""
    about = "Run the published selection in a checkout, with a verdict for every published figure."
    parser = new_parser(commands, "paper", about=about, example=EXAMPLE)
    parser.add_argument("--check", action="store_true", help="look at what is needed and stop")
    parser.add_argument("--yes", action="store_true", help="start without asking")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Run `stages.commands.reproduce`."""
    must_be_checkout("paper")
    from stages.commands import reproduce

    reproduce.main(asked.check, asked.yes)
    return 0
