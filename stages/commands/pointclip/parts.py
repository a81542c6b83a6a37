"""`pointclip parts`: which part every point of an object belongs to."""

import argparse
from pathlib import Path

from stages.commands.pointclip.files import Failures, asked_files, asked_names, in_batches, one_by_one
from stages.commands.pointclip.options import add_files, add_forms, add_model, add_reading, new_parser
from stages.commands.pointclip.output import Printer, described, notes
from stages.core.errors import InputError

EXAMPLE = """
pointclip parts chair.obj --parts "back, seat, leg" --category chair --ply parts.ply
"""


def add_parser(commands) -> None:
    """Add the parser of `parts`."""
    parser = new_parser(commands, "parts", about="Which part every point of an object belongs to.", example=EXAMPLE)
    add_files(parser)
    parser.add_argument("--parts", required=True, help="names with commas between; - reads one a line from stdin")
    parser.add_argument("--category", help="what the objects are, for sentences about their parts")
    parser.add_argument("--ply", type=Path, help="PLY to write: the points of the one file, coloured by part")
    add_model(parser)
    add_reading(parser)
    add_forms(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Print the share of its points that each part of every file has."""
    from stages.own.pointclip import PointClip

    names, failures = asked_names(asked.parts, option="parts", files=asked.files), Failures()
    if asked.ply and asked.ply.suffix != ".ply":
        raise InputError(f"--ply {asked.ply}: expected a name that ends in .ply")
    files = asked_files(asked.files, failures)
    if asked.ply and len(files) != 1:
        raise InputError(f"--ply {asked.ply}: expected one file to colour, got {len(files)}")
    model = PointClip(asked.backbone, device=asked.device, points=asked.points, strict=asked.strict)
    printer = Printer(asked, weights=model.parts_weights, columns=("file", "part", "share"))
    tell_one = one_by_one(lambda file: model.parts(file, names, category=asked.category, up=asked.up))
    for one in in_batches(files, tell_one, failures):
        notes(one.source, one.read)
        shares = [(name, float(share)) for name, share in zip(one.parts, one.shares, strict=True)]
        printer.add(
            {"file": one.source, **described(one), "parts": [[name, round(share, 4)] for name, share in shares]},
            rows=[(one.source, name, f"{share:.4f}") for name, share in shares],
            lines=[f"{100 * share:5.1f} %  {name}" for name, share in shares],
        )
        if asked.ply:
            _write_ply(asked.ply, one)
    printer.end()
    return failures.status


def _write_ply(path: Path, one) -> None:
    from stages.artifacts.files import write_bytes
    from stages.reporting.colours import part_colours
    from stages.segmentation.inference import coloured_ply

    write_bytes(path, coloured_ply(one.points, part_colours(one.labels)))
