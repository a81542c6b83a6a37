"""A loopback HTTP server that serves one file and fails as it is told, answer by answer, and keeps a log."""

import email.utils
import re
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODIFIED = email.utils.formatdate(1e9, usegmt=True)


class QuietHandler(BaseHTTPRequestHandler):
    """Answers HEAD as GET but for the body, by `_answer`, and prints nothing."""

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)


class FaultServer:
    """Serves `content` under any path; each request takes the next of `faults`, and none when they are used up.

    A fault is a status such as 503, or one of
    `cut` the connection ends after half of what was promised, `slow cut` the same after a quarter,
    `wrong bytes` other bytes of the right length, `long` more bytes, `short` fewer, both with a fitting Content-Length,
    `no range` the whole file whatever was asked for, `wrong range` a range that was not asked for,
    `no length` the whole file without Content-Length, `no etag`, `weak etag`, `changed` (another file and ETag).
    `log` has (path, Range header or None, status, bytes sent) of every request.
    """

    def __init__(self, content: bytes, faults: Sequence[int | str] = ()):
        self.content, self.faults, self.log = content, list(faults), []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        """The server's address, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(owner: FaultServer) -> type[QuietHandler]:
    class Handler(QuietHandler):
        def _answer(self, *, with_body: bool):
            fault = owner.faults.pop(0) if with_body and owner.faults else None
            if isinstance(fault, int):
                return self._send(fault, b"", {}, with_body)
            etag = '"other"' if fault == "changed" else '"one"'
            content = {
                "wrong bytes": bytes(len(owner.content)),
                "long": owner.content + b"more",
                "short": owner.content[:-4],
                "changed": owner.content[::-1],
            }.get(fault, owner.content)
            headers = {} if fault == "no etag" else {"ETag": f"W/{etag}" if fault == "weak etag" else etag}
            if fault == "weak etag":
                headers["Last-Modified"] = MODIFIED
            start, status = self._start(etag, fault), 200
            if start is not None and start >= len(content):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"}, with_body)
            if start is not None:
                status = 206
                begin = start + 1 if fault == "wrong range" else start
                headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
                content = content[begin:]
            if fault != "no length":
                headers["Content-Length"] = str(len(content))
            if fault in ("cut", "slow cut"):
                content = content[: len(content) // (2 if fault == "cut" else 4)]
            return self._send(status, content, headers, with_body)

        def _start(self, etag: str, fault: str | None) -> int | None:
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if not asked or fault == "no range" or self.headers.get("If-Range", etag) not in (etag, MODIFIED):
                return None
            return int(asked[1])

        def _send(self, status: int, body: bytes, headers: dict[str, str], with_body: bool):
            owner.log.append((self.path, self.headers.get("Range"), status, len(body) if with_body else 0))
            self.send_response(status)
            for name, value in ({"X-Repo-Commit": "0" * 40} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    return Handler
