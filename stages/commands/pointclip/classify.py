"""`pointclip classify`: which of your labels every file is."""

import argparse
from pathlib import Path

from stages.commands.pointclip.files import Failures, asked_files, asked_names, in_batches
from stages.commands.pointclip.options import add_files, add_forms, add_model, add_reading, new_parser
from stages.commands.pointclip.output import Printer, described, notes

EXAMPLE = """
pointclip classify chair.obj scans/ --labels "chair, floor lamp, cactus" --up z
find . -name '*.stl' | pointclip classify - --labels "bolt, nut, washer" --csv > found.csv
"""


def add_parser(commands) -> None:
    """Add the parser of `classify`."""
    parser = new_parser(commands, "classify", about="Which of your labels every file is.", example=EXAMPLE)
    add_files(parser)
    parser.add_argument("--labels", required=True, help="names with commas between; - reads one a line from stdin")
    parser.add_argument("--top", type=int, default=5, help="labels that are told of every file (default: 5)")
    parser.add_argument("--templates", default="simple", help="file of prompts/templates that describes the labels")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="picture to write: the depth maps of every file")
    add_model(parser)
    add_reading(parser)
    add_forms(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Print the best labels of every file as they are found."""
    from stages.own.pointclip import PointClip

    labels, failures = asked_names(asked.labels, option="labels", files=asked.files), Failures()
    model = PointClip(
        asked.backbone,
        device=asked.device,
        templates=asked.templates,
        points=asked.points,
        strict=asked.strict,
    )
    found = in_batches(
        asked_files(asked.files, failures),
        lambda files, on_error: model.classify(files, labels, top=asked.top, up=asked.up, on_error=on_error),
        failures,
    )
    printer = Printer(asked, weights=model.weights, columns=("file", "rank", "label", "probability"))
    shown = {}
    for one in found:
        notes(one.source, one.read)
        printer.add(
            {"file": one.source, **described(one), "best": [[name, round(share, 4)] for name, share in one.best]},
            rows=[(one.source, rank, name, f"{share:.4f}") for rank, (name, share) in enumerate(one.best, start=1)],
            lines=[f"{100 * share:5.1f} %  {name}" for name, share in one.best],
        )
        if asked.sheet:
            shown[one.source] = model.depth_maps(one.source, up=one.up)
    printer.end()
    if shown:
        _write_sheet(asked.sheet, shown)
    return failures.status


def _write_sheet(path: Path, depth: dict) -> None:
    import numpy as np

    from stages.artifacts.files import write_bytes
    from stages.reporting.figures import png, sheet_figure  # here: it brings matplotlib

    write_bytes(path, png(sheet_figure(np.stack(list(depth.values())), [Path(source).name for source in depth])))
