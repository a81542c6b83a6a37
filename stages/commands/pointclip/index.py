"""`pointclip index`: a folder of objects as a library that can be searched."""

import argparse
from collections import Counter
from pathlib import Path

from stages.commands.pointclip.options import add_forms, add_model, new_parser

EXAMPLE = """
pointclip index models/ --out library.parquet --up z
pointclip search library.parquet "a chair with arms"
"""
COLUMNS = ("file", "status", "kind", "points", "triangles", "up", "error")


def add_parser(commands) -> None:
    """Add the parser of `index`."""
    parser = new_parser(
        commands,
        "index",
        about="Encode every object below a folder once, for searches; again only what is new or changed.",
        example=EXAMPLE,
    )
    parser.add_argument("folder", type=Path, help="folder of meshes and point clouds, at any depth")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="PARQUET", help="library to write, or to bring up to date"
    )
    parser.add_argument("--anew", action="store_true", help="encode everything again, whatever the library holds")
    add_model(parser)
    add_forms(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Write the library with a progress bar; a file that cannot be read is a line on stderr and makes the status 1."""
    from tqdm import tqdm

    from stages.commands.pointclip.files import say
    from stages.own.inputs import find_files
    from stages.own.pointclip import PointClip

    model = PointClip(asked.backbone, device=asked.device, points=asked.points)
    rows: list[tuple] = []
    total = len(find_files([asked.folder])) if asked.folder.is_dir() else 0
    with tqdm(total=total, unit="object", disable=None) as bar:

        def each(entry, status: str) -> None:
            bar.update()
            rows.append((entry.path, status, entry.kind, entry.points, entry.triangles, entry.up, entry.error))
            if entry.notes:
                say(f"note: {asked.folder / entry.path}: {entry.notes}")
            if entry.error is not None:
                say(f"error: {asked.folder / entry.path}: {entry.error}")

        done = model.index(asked.folder, asked.out, up=asked.up, anew=asked.anew, each=each)
    _print(done, sorted(rows), asked, weights=model.weights)
    return int(bool(done.rejects))


def _print(done, rows: list[tuple], asked: argparse.Namespace, *, weights: str) -> None:
    """What became of the folder, as lines or JSON; as CSV what became of each file, by path."""
    import csv
    import json
    import sys

    ups = Counter(up for *_, up, error in rows if error is None)
    guessed = dict(sorted(ups.items())) if asked.up == "auto" else {}
    if asked.json:
        rejects = [{"file": entry.path, "error": entry.error} for entry in done.rejects]
        counts = {"library": str(done.path), "objects": done.objects, "encoded": done.encoded, "unchanged": done.known}
        counts |= {"up_guessed": guessed} if guessed else {}
        print(json.dumps({"weights": weights, **counts, "rejects": rejects}, indent=2))
    elif asked.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([COLUMNS, *rows])
    else:
        print(f"{done.path}: {done.objects} objects, {done.encoded} encoded now, {done.known} unchanged")
        if guessed:
            print(f"up, guessed: {', '.join(f'{axis} of {count}' for axis, count in guessed.items())}")
        print(f"weights: {weights}")
