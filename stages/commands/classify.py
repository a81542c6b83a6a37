"""What a mesh or cloud of one's own is, or its parts.

    python -m stages.commands.classify chair.obj --labels "chair, floor lamp, cactus"
    python -m stages.commands.classify chair.obj --part "back, seat, leg" --category chair --ply parts.ply

Names may also come one a line from stdin (`--labels -`). Prints the best labels of every file with their scores, or the
share of its points that each part has, and which weights said so. What was left out of a file or guessed about it is a
line on stderr, and a file that cannot be read is one too: the others are still told.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from stages.artifacts.files import write_bytes
from stages.commands.answers import Tell, Told
from stages.config.params import load_params
from stages.core.cli import run_command
from stages.core.errors import InputError
from stages.core.root import default_root
from stages.datasets.objects import notes_of, points_of, read_geometry

WITH_PART, WITH_LABELS = ("category", "ply"), ("sheet",)
MOST_POINTS = 1_000_000


def main(**options) -> None:
    """Classify every file, or tell its parts, and print the result, as lines or as JSON."""
    asked, root = argparse.Namespace(**options), default_root()
    params = load_params(root)
    names = _names(asked)
    if not 2 <= asked.points <= MOST_POINTS:
        raise InputError(f"--points {asked.points}: expected 2 to {MOST_POINTS}")
    backbone = asked.backbone or ("bundled_parts" if asked.part else "bundled")
    entry, depth = params.backbone_entry(backbone), {}

    def teller() -> Tell:
        from stages.commands.inference import load_teller  # here: it brings torch, which a wrong call does without

        return load_teller(names, asked, params, backbone=backbone, root=root, depth=depth)

    told = []
    for one in _tell_all(asked, teller):
        told.append(one)
        if not asked.json:
            print(_lines(one, verbose=asked.verbose), flush=True)
    weights = f"{backbone} ({entry.architecture}, {entry.pretrained})"
    if asked.json:
        print(_json(told, weights, key="parts" if asked.part else "best"))
    elif told:
        print(f"weights: {weights}")
    if asked.sheet and depth:
        from stages.reporting.figures import png, sheet_figure  # here: it brings matplotlib

        write_bytes(asked.sheet, png(sheet_figure(np.concatenate(list(depth.values())), [file.name for file in depth])))
    if len(told) < len(asked.files):
        sys.exit(1)


def _tell_all(asked: argparse.Namespace, teller: Callable[[], Tell]) -> Iterator[Told]:
    """Every file as it is told; one of several that cannot be is a line on stderr, a single one raises InputError.

    The model is loaded for the first file that can be read.
    """
    tell = None
    for file in asked.files:
        try:
            geometry = read_geometry(file)
            notes = notes_of(geometry)
            if notes and asked.strict:
                raise InputError(f"{file}: {notes[0]} (--strict)")
            cloud = points_of(geometry, file, points=asked.points, seed=0)
            tell = tell or teller()
            shares = tell(file, cloud)
        except InputError as error:
            if len(asked.files) == 1:
                raise
            print(f"error: {error}", file=sys.stderr, flush=True)
            continue
        for note in notes:
            print(f"note: {file}: {note}", file=sys.stderr, flush=True)
        yield Told(file, geometry, shares)


def _names(asked: argparse.Namespace) -> list[str]:
    """The labels or parts that are asked for; InputError for fewer than two, or for options of the other kind."""
    kind, others, given = ("part", WITH_LABELS, asked.part) if asked.part else ("labels", WITH_PART, asked.labels)
    for option in others:
        if getattr(asked, option):
            raise InputError(f"--{option}: not with --{kind}")
    if asked.ply and (len(asked.files) > 1 or asked.ply.suffix != ".ply"):
        raise InputError(f"--ply {asked.ply}: expected a name that ends in .ply, and one file to colour")
    lines = sys.stdin.read().splitlines() if given == "-" else given.split(",")
    names = list(dict.fromkeys(name.strip() for name in lines if name.strip()))
    if len(names) < 2:
        raise InputError(f"--{kind}: {len(names)} different names, expected at least two")
    return names


def _json(told: list[Told], weights: str, *, key: str) -> str:
    objects = [
        {
            "file": str(one.file),
            "read": {
                "kind": one.geometry.kind,
                "vertices": len(one.geometry.vertices),
                "faces": one.geometry.face_count,
                "extent": [float(f"{size:.6g}") for size in one.geometry.extent],
                "dropped": list(one.geometry.dropped),
                "guessed": list(one.geometry.guessed),
            },
            key: [[name, round(share, 4)] for name, share in one.shares],
        }
        for one in told
    ]
    return json.dumps({"weights": weights, "objects": objects}, indent=2)


def _lines(told: Told, *, verbose: bool) -> str:
    lines = [str(told.file)]
    if verbose:
        geometry, extent = told.geometry, " x ".join(f"{size:.4g}" for size in told.geometry.extent)
        faces = f", {geometry.face_count} faces" if geometry.face_count else ""
        lines.append(f"  read: {geometry.kind}, {len(geometry.vertices)} vertices{faces}, extent {extent}")
    return "\n".join([*lines, *(f"  {100 * share:5.1f} %  {name}" for name, share in told.shares)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.commands.classify", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="meshes or point clouds")
    names = parser.add_mutually_exclusive_group(required=True)
    names.add_argument("--labels", help="names with commas between, or - to read one a line from stdin")
    names.add_argument("--part", help="names of parts instead, to tell every point's; given as the labels are")
    parser.add_argument("--category", help="what the shape is, for sentences about its parts")
    parser.add_argument("--ply", type=Path, help="PLY to write: the points of the one file, coloured by part")
    parser.add_argument("--up", choices=("x", "y", "z"), default="y", help="axis that points up in the files")
    parser.add_argument("--points", type=int, default=2048, help="points sampled on a mesh, or kept of a cloud")
    parser.add_argument("--backbone", help="entry of params.yaml; bundled, or bundled_parts for parts")
    parser.add_argument("--templates", default="simple", help="file of prompts/templates that describes the labels")
    parser.add_argument("--sheet", type=Path, help="PNG to write: the depth maps of every file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--verbose", action="store_true", help="print what was read from every file")
    parser.add_argument("--strict", action="store_true", help="refuse a file of which something is dropped or guessed")
    run_command(main, parser)
