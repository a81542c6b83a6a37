"""A loopback server that speaks the OpenAI interface (chat, models, files, batches) and misbehaves on demand.

It remembers every chat request it sees, and every response that it sent whole and would send a bill for.
"""

import json
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from llm_behaviours import BEHAVIOURS, Completion, Raw

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


class LanguageModel:
    """The server: `faults` (names of BEHAVIOURS) are spent one a chat request; then `reply(body)` gives the text.

    `rules` are asked first about every request: a function of the body that gives the name of a behaviour, or None.
    """

    def __init__(self, context=None):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"model": self}))
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        scheme = "https" if context else "http"
        self.base_url = f"{scheme}://127.0.0.1:{self.server.server_port}/v1"
        self.reset()

    def reset(self):
        """Forget everything."""
        self.faults, self.rules, self.seen, self.sent, self.paid = deque(), [], [], [], []
        self.models, self.files, self.batches = {"object": "list", "data": []}, {}, {}
        self.delay, self.hang, self.polls, self.page = 0.0, 0.6, 1, 20
        self.batch_status, self.batch_faults, self.lose_create = "completed", deque(), 0
        self.reply = lambda body: f"A depth map of a {body['messages'][0]['content'].split()[-1].strip('.')}."

    def completion(self, body, content, **more):
        """A whole answer."""
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content} | more}
        return {"id": "x", "object": "chat.completion", "created": 0, "model": body["model"]} | {
            "choices": [choice],
            "usage": dict(USAGE),
        }

    def rule(self, body):
        """The behaviour that the rules prescribe for a request; None: none of them does."""
        return next((name for rule in self.rules if (name := rule(body))), None)

    def respond(self, name, body, key):
        """What a behaviour answers to a request, and whether that is an answer in full; None: the usual one."""
        if name is None:
            return Completion(), True
        behaviour = BEHAVIOURS[name]
        made = behaviour.respond(body, key) if callable(behaviour.respond) else behaviour.respond
        return made, behaviour.kind == "answer"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and content leave together
    model: LanguageModel

    def log_message(self, *_):
        pass

    def do_GET(self):
        model, url = self.model, urlsplit(self.path)
        path = url.path.removeprefix("/v1")
        if path == "/models":
            if isinstance(model.models, Raw):
                return self._raw(model.models)
            return self._send(200, model.models)
        if path == "/batches":
            return self._list(parse_qs(url.query).get("after", [None])[0])
        if path.startswith("/batches/"):
            return self._send(200, self._advance(model.batches[path.split("/")[2]]))
        if path.endswith("/content") and path.split("/")[2] in model.files:
            return self._raw(Raw(200, model.files[path.split("/")[2]], kind="application/octet-stream"))
        return self._send(404, {"error": {"message": "no such page"}})

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path.removeprefix("/v1")
        if path == "/chat/completions":
            return self._chat(json.loads(content))
        if path == "/files":
            return self._store(content)
        if path == "/batches":
            return self._start(json.loads(content))
        return self._send(404, {"error": {"message": "no such page"}})

    def _store(self, content):
        """Keep the lines of an uploaded file, which came as a form."""
        name = f"file-{len(self.model.files)}"
        start = content.index(b'{"custom_id"')
        self.model.files[name] = content[start : content.index(b"\r\n--", start)]
        facts = {"object": "file", "bytes": 1, "created_at": 0, "filename": "r", "purpose": "batch"}
        return self._send(200, facts | {"id": name, "status": "processed"})

    def _start(self, asked):
        name = f"batch-{len(self.model.batches)}"
        facts = {"id": name, "object": "batch", "created_at": 0, "status": "in_progress", "polls": 0}
        self.model.batches[name] = asked | facts
        if self.model.lose_create:
            self.model.lose_create -= 1
            self.close_connection = True
            return None
        return self._send(200, self.model.batches[name])

    def _list(self, after):
        """A page of the batches, newest first."""
        batches = list(self.model.batches.values())[::-1]
        start = next((i + 1 for i, batch in enumerate(batches) if batch["id"] == after), 0)
        page = batches[start : start + self.model.page]
        more = start + self.model.page < len(batches)
        return self._send(200, {"object": "list", "data": page, "has_more": more})

    def _advance(self, batch):
        """A batch ends after some looks at it; `batch_faults` are spent one a request of it."""
        model = self.model
        batch["polls"] += 1
        if batch["polls"] <= model.polls or batch["status"] != "in_progress":
            return batch
        batch["status"] = model.batch_status
        if model.batch_status == "failed":
            problem = {"code": "token_limit", "message": "too many tokens are waiting"}
            batch["errors"] = {"object": "list", "data": [problem]}
            return batch
        answers, errors = [], []
        for line in model.files[batch["input_file_id"]].decode().splitlines():
            asked = json.loads(line)
            fault = model.rule(asked["body"]) or (model.batch_faults.popleft() if model.batch_faults else None)
            if fault == "expired":
                error = {"code": "batch_expired", "message": "This request could not be executed in time."}
                errors.append({"custom_id": asked["custom_id"], "response": None, "error": error})
                continue
            model.seen.append(asked["body"])
            made, whole = model.respond(fault, asked["body"], "-")
            if isinstance(made, Raw):
                response = {"status_code": made.status, "body": json.loads(made.content)}
                errors.append({"custom_id": asked["custom_id"], "response": response, "error": None})
                continue
            body = self._completion(made, asked["body"])
            self._bill(asked["body"], body, whole)
            answers.append({"custom_id": asked["custom_id"], "response": {"status_code": 200, "body": body}})
        for kind, lines in (("output", answers), ("error", errors)):
            if lines:
                name = batch[f"{kind}_file_id"] = f"{batch['id']}-{kind}"
                model.files[name] = "\n".join(map(json.dumps, lines)).encode()
        return batch

    def _chat(self, body):
        model, key = self.model, self.headers["Authorization"].removeprefix("Bearer ")
        model.seen.append(body)
        fault = model.rule(body) or (model.faults.popleft() if model.faults else None)
        time.sleep(model.delay)
        if fault in ("timeout", "slow first byte"):
            time.sleep(model.hang)
        if fault in ("timeout", "connection closed"):
            self.close_connection = True
            return None
        made, whole = model.respond(fault, body, key)
        if isinstance(made, Raw):
            return self._raw(made)
        document = self._completion(made, body)
        if body.get("stream"):
            return self._stream(document, body, whole, made)
        content = json.dumps(document).encode()
        if made.cut:
            return self._raw(Raw(200, content[: len(content) // 2], length=len(content)))
        self._bill(body, document, whole)
        return self._raw(Raw(200, content))

    def _completion(self, made, body):
        document = self.model.completion(body, self.model.reply(body) if made.content is ... else made.content)
        if document["choices"]:
            document["choices"][0] |= made.choice
            if made.message is not ...:
                document["choices"][0]["message"] = made.message
        document |= made.document
        return {name: value for name, value in document.items() if value is not ...}

    def _bill(self, body, document, whole):
        self.model.paid.append((body, document))
        if whole:
            self.model.sent.append(body)

    def _stream(self, document, body, whole, made):
        """The same response in pieces; one that is cut ends without its last ones."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        choice = document["choices"][0]
        frame = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": document["model"]}
        for word in choice["message"]["content"].split(" "):
            delta = {"index": 0, "delta": {"role": "assistant", "content": f"{word} "}, "finish_reason": None}
            self._event(frame | {"choices": [delta]})
        if made.document.get("error"):
            self._event({"error": made.document["error"]})
        elif not made.cut:
            end = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
            self._event(frame | {"choices": [end]})
            if body.get("stream_options") and document.get("usage"):
                self._event(frame | {"choices": [], "usage": document["usage"]})
            self.wfile.write(b"data: [DONE]\n\n")
            self._bill(body, document, whole)
        self.close_connection = True

    def _event(self, document):
        self.wfile.write(f"data: {json.dumps(document)}\n\n".encode())
        self.wfile.flush()

    def _send(self, status, document, headers=None):
        self._raw(Raw(status, json.dumps(document).encode(), headers=headers or {}))

    def _raw(self, made):
        self.send_response(made.status)
        for name, value in ({"Content-Type": made.kind} | made.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(made.length or len(made.content)))
        self.end_headers()
        self.wfile.write(made.content)
        self.wfile.flush()
        if made.length:  # cut in the middle
            self.close_connection = True
