"""`pointclip sweep`: experiment sets of params.yaml (a door to `stages.commands.sweep`)."""

import argparse

from stages.commands.pointclip.options import must_be_checkout, new_parser

EXAMPLE = """
pointclip sweep kernels text_inputs
"""


def add_parser(commands) -> None:
    """Add the parser of `sweep`."""
    about = "Run experiment sets of params.yaml in a checkout, one DVC experiment a value."
    parser = new_parser(commands, "sweep", about=about, example=EXAMPLE)
    parser.add_argument("names", nargs="+", help="sweeps of params.yaml")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Run `stages.commands.sweep`."""
    must_be_checkout("sweep")
    from stages.commands import sweep

    sweep.main(asked.names)
    return 0
