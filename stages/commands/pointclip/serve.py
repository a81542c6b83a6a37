"""`pointclip serve`: a page in the browser to drop a file on."""

import argparse

from stages.commands.pointclip.options import new_parser
from stages.core.errors import InputError

EXAMPLE = """
pointclip serve
"""


def add_parser(commands) -> None:
    """Add the parser of `serve`."""
    parser = new_parser(commands, "serve", about="Serve a page to drop files on, on this computer.", example=EXAMPLE)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this computer alone)")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000; 0 takes a free one")
    parser.add_argument("--backbone", default="bundled", help="entry of params.yaml (default: bundled)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="default: auto")
    parser.add_argument("--points", type=int, default=2048, help="points sampled on a mesh, or kept of a cloud")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    """Load the model, then serve until interrupted."""
    try:
        from stages.page.serving import serve  # here: it brings what comes with the extra `page`
    except ModuleNotFoundError as error:
        raise InputError(f"pointclip serve: {error.name} is not installed: pip install '.[page]'") from error
    from stages.own.pointclip import PointClip

    serve(PointClip(asked.backbone, device=asked.device, points=asked.points), host=asked.host, port=asked.port)
    return 0
