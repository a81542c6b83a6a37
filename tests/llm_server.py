"""A loopback server that speaks the OpenAI interface (chat, models, files, batches) and fails on demand.

It remembers every chat request it sees and every answer that it sent whole.
"""

import json
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FOREIGN = "Un mapa de profundidad de una silla con el respaldo de la izquierda."
ERRORS = {  # fault -> status, headers, error
    "429": (429, {}, {"message": "slow down"}),
    "429 after": (429, {"Retry-After": "7"}, {"message": "slow down"}),
    "500": (500, {}, {"message": "upstream"}),
    "quota": (429, {}, {"message": "no credit", "code": "insufficient_quota"}),
    "401": (401, {}, {"message": "wrong key"}),
    "404": (404, {}, {"message": "the model does not exist", "code": "model_not_found"}),
}
SILENT = ("timeout", "cut", "empty", "invalid")  # no answer arrives
ODD = ("refusal", "foreign", "long", "echo")  # an answer arrives, and is paid for
FAULTS = (*ERRORS, *SILENT, *ODD)


class LanguageModel:
    """The server: `faults` are spent one a chat request; then `reply(body)` gives the text."""

    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"model": self}))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"
        self.reset()

    def reset(self):
        """Forget everything."""
        self.faults, self.seen, self.sent = deque(), [], []
        self.models, self.files, self.batches = [], {}, {}
        self.delay, self.hang, self.polls, self.batch_status = 0.0, 0.6, 1, "completed"
        self.reply = lambda body: f"A depth map of a {body['messages'][0]['content'].split()[-1].strip('.')}."

    def completion(self, body, content, **more):
        """A whole answer."""
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content} | more}
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        return {"id": "x", "object": "chat.completion", "created": 0, "model": body["model"]} | {
            "choices": [choice],
            "usage": usage,
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and content leave together
    model: LanguageModel

    def log_message(self, *_):
        pass

    def do_GET(self):
        model, path = self.model, self.path.split("?")[0].removeprefix("/v1")
        if path == "/models":
            if model.models is None:
                return self._send(404, {"error": {"message": "no such page"}})
            return self._send(200, {"object": "list", "data": model.models})
        if path == "/batches":
            return self._send(200, {"object": "list", "data": list(model.batches.values()), "has_more": False})
        if path.startswith("/batches/"):
            return self._send(200, self._advance(model.batches[path.split("/")[2]]))
        if path.endswith("/content"):
            return self._send_raw(200, {}, model.files[path.split("/")[2]])
        return self._send(404, {"error": {"message": "no such page"}})

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path.removeprefix("/v1")
        if path == "/chat/completions":
            return self._chat(json.loads(content))
        if path == "/files":
            name = f"file-{len(self.model.files)}"
            start = content.index(b'{"custom_id"')
            self.model.files[name] = (
                content[start : content.index(b"\n\r\n--", start)]
                if b"\n\r\n--" in content
                else (content[start : content.rindex(b"\r\n--", 0, -8)])
            )
            return self._send(
                200,
                {
                    "id": name,
                    "object": "file",
                    "bytes": 1,
                    "created_at": 0,
                    "filename": "r",
                    "purpose": "batch",
                    "status": "processed",
                },
            )
        if path == "/batches":
            asked = json.loads(content)
            name = f"batch-{len(self.model.batches)}"
            self.model.batches[name] = asked | {
                "id": name,
                "object": "batch",
                "created_at": 0,
                "status": "in_progress",
                "polls": 0,
            }
            return self._send(200, self.model.batches[name])
        return self._send(404, {"error": {"message": "no such page"}})

    def _advance(self, batch):
        batch["polls"] += 1
        if batch["polls"] > self.model.polls and batch["status"] == "in_progress":
            batch["status"] = self.model.batch_status
            lines = []
            for line in self.model.files[batch["input_file_id"]].decode().splitlines():
                asked = json.loads(line)
                if self.model.faults and self.model.faults.popleft():
                    lines.append({"custom_id": asked["custom_id"], "response": {"status_code": 500, "body": {}}})
                    continue
                self.model.seen.append(asked["body"])
                body = self.model.completion(asked["body"], self.model.reply(asked["body"]))
                lines.append({"custom_id": asked["custom_id"], "response": {"status_code": 200, "body": body}})
            name = batch["output_file_id"] = f"{batch['id']}-output"
            self.model.files[name] = "\n".join(map(json.dumps, lines)).encode()
        return batch

    def _chat(self, body):
        model, key = self.model, self.headers["Authorization"].removeprefix("Bearer ")
        model.seen.append(body)
        fault = model.faults.popleft() if model.faults else None
        if fault in ERRORS:
            status, headers, error = ERRORS[fault]
            return self._send(status, {"error": error | {"message": f"{error['message']} (key {key})"}}, headers)
        time.sleep(model.delay)
        if fault == "timeout":
            time.sleep(model.hang)
            self.close_connection = True
            return None
        if fault == "empty":
            return self._send(200, model.completion(body, "") | {"choices": []})
        if fault == "invalid":
            return self._send_raw(200, {"Content-Type": "application/json"}, b'{"choices": [{"index"')
        whole = json.dumps(self._answer(fault, body, key)).encode()
        if fault == "cut":
            return self._send_raw(200, {"Content-Type": "application/json"}, whole[: len(whole) // 2], len(whole))
        model.sent.append(body)
        return self._send_raw(200, {"Content-Type": "application/json"}, whole)

    def _answer(self, fault, body, key):
        if fault == "refusal":
            return self.model.completion(body, None, refusal="I'm sorry, I can't help with that.")
        texts = {
            "foreign": FOREIGN,
            "long": "A depth map of a chair " + "and a chair " * 900,
            "echo": f"Your key is {key}.",
        }
        return self.model.completion(body, texts[fault] if fault else self.model.reply(body))

    def _send(self, status, document, headers=None):
        self._send_raw(status, {"Content-Type": "application/json"} | (headers or {}), json.dumps(document).encode())

    def _send_raw(self, status, headers, content, length=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()
        if length:  # cut in the middle
            self.close_connection = True
