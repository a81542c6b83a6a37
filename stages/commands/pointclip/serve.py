"""`pointclip serve`: a page in the browser to drop a file on."""

import argparse
from pathlib import Path

from stages.commands.pointclip.options import new_parser
from stages.core.errors import InputError

EXAMPLE = """
pointclip serve
pointclip serve --library library.parquet --port 8080
"""


def add_parser(commands) -> None:
    """Add the parser of `serve`."""
    parser = new_parser(commands, "serve", about="Serve a page to drop files on, on this computer.", example=EXAMPLE)
    parser.add_argument("--library", type=Path, help="library to search, which `pointclip index` wrote")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this computer alone)")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000; 0 takes a free one")
    parser.add_argument("--backbone", help="entry of params.yaml (default: the library's, else bundled)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="default: auto")
    parser.add_argument("--points", type=int, help="of a mesh or cloud (default: the library's, else 2048)")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Load the model, then serve until interrupted."""
    try:
        from stages.page.serving import serve  # here: it brings what comes with the extra `page`
    except ModuleNotFoundError as error:
        raise InputError(f"pointclip serve: {error.name} is not installed: pip install '.[page]'") from error
    from stages.artifacts.library import read_metadata
    from stages.own.pointclip import PointClip

    chosen = {"backbone": asked.backbone, "points": asked.points}
    if asked.library:
        encoding, _ = read_metadata(asked.library)
        chosen = {name: value or getattr(encoding, name) for name, value in chosen.items()}
    given = {name: value for name, value in chosen.items() if value is not None}
    serve(PointClip(device=asked.device, **given), library=asked.library, host=asked.host, port=asked.port)
    return 0
