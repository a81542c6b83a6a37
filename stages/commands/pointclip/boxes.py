"""`pointclip boxes`: what stands in the scan of a room, and where."""

import argparse

from stages.commands.pointclip.files import Failures, asked_files, asked_names, in_batches, one_by_one
from stages.commands.pointclip.options import add_files, add_forms, add_model, add_reading, new_parser
from stages.commands.pointclip.output import Printer, described, notes

EXAMPLE = """
pointclip boxes room.ply --labels "chair, table, sofa, bed" --json
"""
COLUMNS = ("file", "label", "score", "x", "y", "z", "size_x", "size_y", "size_z")


def add_parser(commands) -> None:
    """Add the parser of `boxes`."""
    about = "What stands in the scan of a room, in metres, and where."
    parser = new_parser(commands, "boxes", about=about, example=EXAMPLE)
    add_files(parser)
    parser.add_argument("--labels", required=True, help="names with commas between; - reads one a line from stdin")
    parser.add_argument("--least", type=float, default=0.0, help="lowest score that is told, 0 to 1 (default: 0)")
    add_model(parser, up="z", ups=("x", "y", "z"), points=False)
    add_reading(parser)
    add_forms(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Print the boxes of every scan, best score first: centre and size along the axes of the file."""
    from stages.own.pointclip import PointClip

    labels, failures = asked_names(asked.labels, option="labels", files=asked.files), Failures()
    model = PointClip(asked.backbone, device=asked.device, strict=asked.strict)
    printer = Printer(asked, weights=model.weights, columns=COLUMNS)
    for scan in in_batches(
        asked_files(asked.files, failures),
        one_by_one(lambda scan: model.boxes(scan, labels, up=asked.up)),
        failures,
        unit="scan",
    ):
        notes(scan.source, scan.read)
        found = [
            (label, float(score), [round(float(value), 3) for value in box])
            for label, score, box in zip(scan.labels, scan.scores, scan.boxes, strict=True)
            if score >= asked.least
        ]
        keys = ("label", "score", "centre", "size")
        printer.add(
            {
                "file": scan.source,
                **described(scan),
                "boxes": [
                    dict(zip(keys, (label, round(score, 4), box[:3], box[3:]), strict=True))
                    for label, score, box in found
                ],
            },
            rows=[(scan.source, label, f"{score:.4f}", *box) for label, score, box in found],
            lines=[_line(*one) for one in found] or ["no box"],
        )
    printer.end()
    return failures.status


def _line(label: str, score: float, box: list[float]) -> str:
    centre, size = (" ".join(f"{value:g}" for value in half) for half in (box[:3], box[3:]))
    return f"{100 * score:5.1f} %  {label}  at {centre}, size {size}"
