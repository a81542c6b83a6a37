"""The server of the page: objects come in, what the model says of them goes out, and nothing else.

Only pages that this server sent can ask it: a request must name the server by one of its own names (which a site that
points its name at this computer does not), and what changes something must be of a type that a foreign page may not
send. The browser is told to load nothing from anywhere else.
"""

import asyncio
import base64
import io
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stages.core.errors import InputError
from stages.datasets.objects import FORMATS
from stages.own.pointclip import PointClip
from stages.own.search import Searchable
from stages.page.objects import Dropped, Kept, file_name, read_dropped
from stages.page.worker import BusyError, Worker
from stages.reporting.colours import part_colours
from stages.reporting.page import png_url

STATIC = Path(__file__).parent / "static"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
SLOWEST_UPLOAD = 120  # seconds
LONGEST_QUESTION = 1 << 16  # bytes of JSON
MOST_NAMES, LONGEST_NAME = 1000, 200  # labels or parts, and characters of one
BEST, FOUND = 5, 12  # labels, and objects of the library, that are shown
UPS = ("y", "z", "x")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Page:
    """What the page asks for, of one model and of a library of the same backbone if there is one."""

    def __init__(self, model: PointClip, *, library: Searchable | None, most_bytes: int):
        self._model, self._library, self._most_bytes = model, library, most_bytes
        self._kept, self._worker = Kept(), Worker()

    def routes(self) -> list[Route]:
        """Addresses, the method that each takes, what answers."""
        return [
            Route("/", self.index),
            Route("/api/about", self.about),
            Route("/api/objects", self.add, methods=["POST"]),
            Route("/api/objects/{key}/shape", self.shape),
            Route("/api/objects/{key}/maps", self.maps),
            Route("/api/objects/{key}/upright", self.upright),
            Route("/api/objects/{key}/labels", self.labels, methods=["POST"]),
            Route("/api/objects/{key}/parts", self.parts, methods=["POST"]),
            Route("/api/search", self.search),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]

    async def index(self, request: Request) -> Response:
        """The page itself."""
        return FileResponse(STATIC / "index.html")

    async def about(self, request: Request) -> Response:
        """What is read, how large it may be, and whose weights answer."""
        told = {"formats": [*FORMATS], "most_bytes": self._most_bytes, "ups": UPS, "backbone": self._model.backbone}
        return JSONResponse({**told, "library": len(self._library.library.entries) if self._library else 0})

    async def add(self, request: Request) -> Response:
        """Read the object in the request's body; its file is there only until it is read."""
        name = file_name(request.query_params.get("name", ""))
        if request.headers.get("content-type") != "application/octet-stream":
            raise HTTPException(415, "expected a file as application/octet-stream")
        async with self._worker.place():
            with TemporaryDirectory(prefix="pointclip-") as folder:
                path = Path(folder) / name
                await save(request, path, most=self._most_bytes)
                dropped = await self._worker.run(read_dropped, path, points=self._model.points)
        return JSONResponse({**dropped.described(), "id": self._kept.add(dropped)}, 201)

    async def shape(self, request: Request) -> Response:
        """What is drawn, as `Dropped.shape` writes it."""
        dropped = self._asked(request)
        async with self._worker.place():
            return Response(await self._worker.run(dropped.shape, up_of(request.query_params)))

    async def maps(self, request: Request) -> Response:
        """The depth maps as pictures, with the name of each view and the direction it is seen from."""
        dropped, up = self._asked(request), up_of(request.query_params)
        async with self._worker.place():
            depth = await self._worker.run(self._model.depth_maps, dropped.cloud, up=up)
        seen = zip(depth, self._model.view_names, self._model.view_directions, strict=True)
        maps = [{"picture": picture(one), "view": view, "from": direction.tolist()} for one, view, direction in seen]
        return JSONResponse({"maps": maps})

    async def upright(self, request: Request) -> Response:
        """The axis that seems to point up."""
        dropped = self._asked(request)
        async with self._worker.place():
            [guess] = await self._worker.run(self._model.guess_up, dropped.cloud)
        return JSONResponse({"up": guess.axis})

    async def labels(self, request: Request) -> Response:
        """The best labels with their probabilities."""
        dropped, asked = self._asked(request), await question(request)
        labels, up = names_of(asked, "labels"), up_of(asked)
        async with self._worker.place():
            [found] = await self._worker.run(self._model.classify, dropped.cloud, labels, top=BEST, up=up)
            notes = await self._notes(labels)
        return JSONResponse({"best": found.best, "notes": notes})

    async def parts(self, request: Request) -> Response:
        """The share of every part, and the part of every point in base64."""
        dropped, asked = self._asked(request), await question(request)
        parts, up, category = names_of(asked, "parts"), up_of(asked), name_of(asked.get("category", ""), "category")
        async with self._worker.place():
            found = await self._worker.run(self._model.parts, dropped.cloud, parts, category=category or None, up=up)
            notes = await self._notes([*parts, category])
        rows = zip(found.parts, found.shares, part_colours(range(len(found.parts))), strict=True)
        shares = [{"name": part, "share": share, "colour": colour} for part, share, colour in rows]
        points = base64.b64encode(found.labels.astype("<u2")).decode()
        return JSONResponse({"parts": shares, "points": points, "notes": notes})

    async def search(self, request: Request) -> Response:
        """The nearest objects of the library to `words`, or to the object `like`, best first."""
        if not self._library:
            raise HTTPException(404, "no library: pointclip serve --library library.parquet")
        asked = request.query_params
        async with self._worker.place():
            if "like" in asked:
                search = partial(self._library.search, like=self._kept.get(asked["like"]).cloud, up=up_of(asked))
            else:
                search = partial(self._library.search, name_of(asked.get("words", ""), "words"))
            found = await self._worker.run(search, top=FOUND)
            pictures = await self._worker.run(self._library.thumbnails, found)
        hits = [
            {"name": hit.entry.path, "score": hit.score, "matches": hit.matches, "picture": png_url(png)}
            for hit, png in zip(found.hits, pictures, strict=True)
        ]
        return JSONResponse({"hits": hits, "nothing_matches": found.nothing_matches})

    def _asked(self, request: Request) -> Dropped:
        return self._kept.get(request.path_params["key"])

    async def _notes(self, names: list[str]) -> list[str]:
        """A line where the model has never seen some words."""
        unknown = await self._worker.run(self._model.unknown_words, names)
        return [f"The model does not know: {', '.join(unknown)}."] if unknown else []


def application(
    model: PointClip, *, library: Searchable | None = None, hosts: tuple[str, ...] = LOOPBACK, most_bytes: int
) -> Starlette:
    """The server as ASGI; `hosts` are the names under which it may be asked, files have at most `most_bytes`."""
    refused = {
        InputError: lambda request, error: told(400, str(error)),
        BusyError: lambda request, error: told(503, "Others are being served: try again in a moment."),
        TimeoutError: lambda request, error: told(408, f"The file took more than {SLOWEST_UPLOAD} seconds to arrive."),
        ClientDisconnect: lambda request, error: told(400, "The file did not arrive."),
        HTTPException: lambda request, error: told(error.status_code, error.detail),
        Exception: lambda request, error: told(500, "The server failed; its terminal says how."),
    }
    middleware = [Middleware(WithHeaders), Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]
    page = Page(model, library=library, most_bytes=most_bytes)
    return Starlette(routes=page.routes(), exception_handlers=refused, middleware=middleware)


class WithHeaders:
    """Every answer with HEADERS."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)


async def save(request: Request, path: Path, *, most: int) -> None:
    """Write the request's body to `path`; HTTPException for more than `most` bytes."""
    size = int(request.headers.get("content-length", 0))
    async with asyncio.timeout(SLOWEST_UPLOAD):
        with path.open("wb") as file:
            async for chunk in request.stream():
                size = max(size, file.tell() + len(chunk))
                if size > most:
                    raise HTTPException(413, f"{path.name}: larger than {most} bytes, which is the limit")
                file.write(chunk)


async def question(request: Request) -> dict:
    """The JSON object in the request's body; HTTPException where there is none."""
    if request.headers.get("content-type") != "application/json":
        raise HTTPException(415, "expected a question as application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_QUESTION:
            raise HTTPException(413, f"a question of more than {LONGEST_QUESTION} bytes")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise HTTPException(400, "expected a JSON object")
    return asked


def names_of(asked: dict, key: str) -> list[str]:
    """The list of names under `key`."""
    names = asked.get(key)
    if not isinstance(names, list) or len(names) > MOST_NAMES:
        raise HTTPException(400, f"{key}: expected a list of at most {MOST_NAMES} names")
    return [name_of(name, key) for name in names]


def name_of(name: object, key: str) -> str:
    """One name, which is a text and not too long."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        raise HTTPException(400, f"{key}: expected names of at most {LONGEST_NAME} characters")
    return name


def up_of(asked: Mapping[str, object]) -> str:
    """The axis under `up`."""
    if asked.get("up") not in UPS:
        raise HTTPException(400, f"up: expected one of {', '.join(UPS)}")
    return asked["up"]


def picture(depth: np.ndarray) -> str:
    """A depth map [R, R] in 0..1 as the address of a PNG that holds it."""
    file = io.BytesIO()
    Image.fromarray((255 * depth).round().astype(np.uint8)).save(file, "PNG")
    return png_url(file.getvalue())


def told(status: int, line: str) -> Response:
    """An answer that says in one line what is wrong."""
    return JSONResponse({"error": line}, status)
