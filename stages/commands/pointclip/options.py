"""Options that several subcommands have, and the parser that they start from."""

import argparse
import textwrap
from pathlib import Path

from stages.core.errors import InputError

UPS = ("x", "y", "z", "auto")


def new_parser(commands, name: str, *, about: str, example: str) -> argparse.ArgumentParser:
    """A subcommand's parser: `about` is its one sentence, `example` lines of a shell that its help ends with."""
    return commands.add_parser(
        name,
        help=about[0].lower() + about[1:].rstrip("."),
        description=about,
        epilog="example:\n" + textwrap.indent(textwrap.dedent(example).strip(), "  "),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_files(parser: argparse.ArgumentParser) -> None:
    """Positional files, folders and patterns."""
    parser.add_argument(
        "files", nargs="+", metavar="file", help="meshes, point clouds, folders of them, patterns; - reads a list"
    )


def add_model(
    parser: argparse.ArgumentParser, *, up: str = "y", ups: tuple[str, ...] = UPS, points: bool = True
) -> None:
    """Which backbone answers, on what, and how an object is read."""
    parser.add_argument("--backbone", default="bundled", help="entry of params.yaml (default: bundled)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="default: auto")
    parser.add_argument("--up", choices=ups, default=up, help=f"axis that points up in the files (default: {up})")
    if points:
        parser.add_argument("--points", type=int, default=2048, help="points sampled on a mesh, or kept of a cloud")


def add_reading(parser: argparse.ArgumentParser) -> None:
    """What is said about the reading of a file, and what is refused."""
    parser.add_argument("--strict", action="store_true", help="refuse a file of which something is dropped or guessed")
    parser.add_argument("--verbose", action="store_true", help="print what was read from every file")


def add_forms(parser: argparse.ArgumentParser) -> None:
    """JSON or CSV instead of lines."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--csv", action="store_true", help="print CSV")


def must_be_checkout(command: str) -> None:
    """InputError where the working directory is no checkout of this project, which some commands run in."""
    if not (Path("dvc.yaml").is_file() and Path("params.yaml").is_file()):
        raise InputError(f"pointclip {command}: no dvc.yaml and params.yaml here, expected a checkout of the project")
