"""`pointclip search`: objects of a library by words, by an object or by a picture."""

import argparse
from pathlib import Path

from stages.commands.pointclip.options import UPS, add_forms, new_parser
from stages.commands.pointclip.output import described, notes, with_axis

EXAMPLE = """
pointclip search library.parquet "a chair with arms"
pointclip search library.parquet --like chair.obj --top 20 --html chairs.html
pointclip search library.parquet --image photo.png --json
"""
COLUMNS = ("rank", "file", "score", "above_floor", "kind", "points", "triangles", "up")


def add_parser(commands) -> None:
    """Add the parser of `search`."""
    parser = new_parser(
        commands, "search", about="Find objects of a library by words, by an object or by a picture.", example=EXAMPLE
    )
    parser.add_argument("library", type=Path, help="file that `pointclip index` wrote")
    parser.add_argument("words", nargs="?", help="what is looked for, in words")
    parser.add_argument("--like", type=Path, metavar="FILE", help="find objects like this mesh or cloud")
    parser.add_argument("--image", type=Path, metavar="FILE", help="find what this picture shows")
    parser.add_argument("--top", type=int, default=10, help="objects that are told (default: 10)")
    parser.add_argument("--pooling", default=None, help="of an object's views: mean, max or best (default: mean)")
    parser.add_argument(
        "--rate",
        type=float,
        default=None,
        help="share of searches for what is not there that may get past the floor below which nothing matches "
        "(default: 0.05)",
    )
    parser.add_argument("--up", choices=UPS, help="axis that points up in the file of --like (default: as indexed)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="contact sheet to write: one page with pictures")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="default: auto")
    add_forms(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Print the best objects, those above the floor first; write the contact sheet."""
    from stages.artifacts.files import write_text
    from stages.artifacts.library import read_metadata
    from stages.own.pointclip import PointClip
    from stages.retrieval.floor import RATE
    from stages.retrieval.pooling import DEFAULT

    encoding, _ = read_metadata(asked.library)
    model = PointClip(encoding.backbone, device=asked.device, points=encoding.points)
    library = model.open_library(asked.library)
    found = library.search(
        asked.words,
        like=asked.like,
        image=asked.image,
        up=asked.up,
        top=asked.top,
        pooling=asked.pooling or DEFAULT,
        rate=RATE if asked.rate is None else asked.rate,
    )
    guessed = found.up if (asked.up or encoding.up) == "auto" else None
    if found.read:
        notes(found.query, found.read)
    _print(found, asked, guessed=guessed, weights=model.weights)
    if asked.html:
        from stages.reporting.contact_sheet import Tile, contact_sheet

        pictures = library.thumbnails(found)
        tiles = [
            Tile(hit.entry.path, hit.score, hit.matches, picture)
            for hit, picture in zip(found.hits, pictures, strict=True)
        ]
        title = with_axis(found.query, guessed)
        write_text(asked.html, contact_sheet(tiles, title=title, verdict=_verdict(found), weights=model.weights))
    return 0


def _print(found, asked: argparse.Namespace, *, guessed: str | None, weights: str) -> None:
    import csv
    import json
    import sys

    rows = [
        dict(
            zip(
                COLUMNS,
                (
                    rank,
                    hit.entry.path,
                    round(hit.score, 4),
                    hit.matches,
                    hit.entry.kind,
                    hit.entry.points,
                    hit.entry.triangles,
                    hit.entry.up,
                ),
                strict=True,
            )
        )
        for rank, hit in enumerate(found.hits, start=1)
    ]
    if asked.json:
        floor = None if found.floor is None else round(found.floor, 4)
        about = {"weights": weights, "query": found.query, "by": found.kind, "pooling": found.pooling, "floor": floor}
        about |= {"false_positive_rate": found.rate, "nothing_matches": found.nothing_matches}
        about |= described(found) if found.read else {}
        about |= {"up_guessed": True} if guessed else {}
        print(json.dumps({**about, "objects": rows}, indent=2))
    elif asked.csv:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        if guessed:
            print(with_axis(found.query, guessed))
        print(_verdict(found))
        for hit in found.hits:
            print(f"  {hit.score:6.3f}  {hit.entry.path}{'' if hit.matches else '  (below the floor)'}")
        print(f"weights: {weights}")


def _verdict(found) -> str:
    """What the floor says of the search, in one sentence."""
    if found.floor is None:
        reason = "pictures have none" if found.kind == "pictures" else "too few words or objects to say where"
        return f"the nearest objects; no floor below which nothing matches ({reason})"
    where = f"floor {found.floor:.3f}, set for {found.rate:.0%} of searches for what is not there to get past it"
    if found.nothing_matches:
        return f"nothing matches: the nearest objects are below the {where}"
    return f"{sum(hit.matches for hit in found.hits)} of these are above the {where}"
