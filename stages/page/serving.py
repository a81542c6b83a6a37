"""Where the page is served: the socket, who may ask, and the line that says where to look."""

import socket
import sys
from pathlib import Path

import numpy as np
import uvicorn

from stages.core.errors import InputError, one_line
from stages.datasets.objects import MOST_BYTES
from stages.own.pointclip import PointClip
from stages.page.server import LOOPBACK, application

EVERYWHERE = ("0.0.0.0", "::")
MOST_CONNECTIONS = 64
ANY_CLOUD, ANY_LABELS = np.eye(3), ("chair", "table")


def serve(model: PointClip, *, library: Path | None, host: str, port: int) -> None:
    """Serve the page at `host` and `port` until the process is interrupted; the model and library are loaded first.

    Raises InputError where nothing can listen there, and for a library of another backbone.
    """
    listening = listen(host, port)
    searchable = model.open_library(library) if library else None
    model.classify(ANY_CLOUD, ANY_LABELS)  # loads it: what is wrong with it is said now
    if host not in ("127.0.0.1", "localhost", "::1"):
        print(f"warning: others on the network can use this page: it listens at {host}", file=sys.stderr)
    shown = f"[{host}]" if ":" in host else host
    hosts = ("*",) if host in EVERYWHERE else (*LOOPBACK, shown)
    print(f"open http://{shown}:{listening.getsockname()[1]} in a browser; Ctrl+C ends it", flush=True)
    app = application(model, library=searchable, hosts=hosts, most_bytes=MOST_BYTES)
    options = {"limit_concurrency": MOST_CONNECTIONS, "timeout_graceful_shutdown": 5, "server_header": False}
    config = uvicorn.Config(app, log_level="warning", **options)
    uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; InputError where none can."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise InputError(f"--host {host} --port {port}: nothing can listen there ({one_line(error)})") from error
