"""What servers do instead of answering, by name, with what the client has to make of it.

Kinds: `passes` (nothing is paid, the same request is sent again), `attempt` (a response that is no answer: recorded,
and the request is asked again), `adapts` (a parameter is left out, renamed or lowered, said once), `answer` (odd, but
an answer), `stops` (the run ends with a line that says why; the next one goes on).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

PAGE = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body>Bad gateway</body></html>"
FOREIGN = "Un mapa de profundidad de una silla con el respaldo de la izquierda."


@dataclass(frozen=True)
class Raw:
    """A response as it goes over the wire; `length` longer than the content: cut in the middle."""

    status: int
    content: bytes
    headers: dict = field(default_factory=dict)
    kind: str = "application/json"
    length: int | None = None


@dataclass(frozen=True)
class Completion:
    """Changes to a usual answer: its text, the message, fields of the choice and of the document; ... is as usual."""

    content: object = ...
    message: object = ...
    choice: dict = field(default_factory=dict)
    document: dict = field(default_factory=dict)
    cut: bool = False


class Behaviour(NamedTuple):
    """How a server responds, and what the client makes of it; `says` is a part of what a person is told."""

    kind: str
    respond: Raw | Completion | Callable | None
    says: str = ""


def _error(status, message, *, headers=None, **more):
    """An error response, which quotes the key as some servers do."""
    return lambda _body, key: Raw(
        status, json.dumps({"error": {"message": f"{message} (key {key})"} | more}).encode(), headers=headers or {}
    )


def _text(write):
    """An answer that `write(name)` words about the class that was asked for."""
    return lambda body, _key: Completion(content=write(_name(body)))


def _name(body):
    return body["messages"][0]["content"].split()[-1].strip(".")


CUT = {"finish_reason": "length"}
NO_USAGE = {"usage": ...}
BEHAVIOURS: dict[str, Behaviour] = {
    # nothing is paid, and it passes
    "408": Behaviour("passes", _error(408, "too slow")),
    "409": Behaviour("passes", _error(409, "conflict")),
    "429": Behaviour("passes", _error(429, "slow down")),
    "429 after seconds": Behaviour("passes", _error(429, "slow down", headers={"Retry-After": "7"})),
    "429 after nonsense": Behaviour("passes", _error(429, "slow down", headers={"Retry-After": "soon"})),
    "429 after minutes": Behaviour(
        "passes", _error(429, "slow down", headers={"Retry-After": "300"}), "asks to wait 300 seconds, until "
    ),
    "500": Behaviour("passes", _error(500, "upstream")),
    "502 web page": Behaviour("passes", Raw(502, PAGE, kind="text/html")),
    "503": Behaviour("passes", _error(503, "overloaded")),
    "504": Behaviour("passes", Raw(504, b"", kind="text/plain")),
    "529": Behaviour("passes", _error(529, "overloaded")),
    "connection closed": Behaviour("passes", None),
    "timeout": Behaviour("passes", None),
    "cut": Behaviour("passes", Completion(cut=True)),
    "broken JSON": Behaviour("passes", Raw(200, b'{"choices": [{"index"')),
    "not UTF-8": Behaviour("passes", Raw(200, b'{"choices": [{"message": {"content": "\xff\xfe"}}]}')),
    "web page": Behaviour("passes", Raw(200, PAGE, kind="text/html")),
    "plain text": Behaviour("passes", Raw(200, b"ok", kind="text/plain")),
    "JSON list": Behaviour("passes", Raw(200, b"[]")),
    "empty body": Behaviour("passes", Raw(200, b"")),
    "empty choices": Behaviour("passes", Raw(200, b'{"choices": []}')),
    "null choices": Behaviour("passes", Raw(200, b'{"choices": null}')),
    "null choice": Behaviour("passes", Raw(200, b'{"choices": [null]}')),
    "error with status 200": Behaviour("passes", Raw(200, b'{"error": {"code": 502, "message": "upstream"}}')),
    "error inside a choice": Behaviour(
        "passes",
        Raw(200, b'{"choices": [{"error": {"code": 502, "message": "upstream"}, "message": {"content": ""}}]}'),
    ),
    # a response that is paid and is no answer
    "null message": Behaviour("attempt", Completion(message=None)),
    "null content": Behaviour("attempt", Completion(content=None)),
    "content is an object": Behaviour("attempt", Completion(content={"text": 1})),
    "blank": Behaviour("attempt", Completion(content=" \n")),
    "blank and cut": Behaviour("attempt", Completion(content="", choice=CUT), "the token limit is"),
    "only reasoning": Behaviour(
        "attempt", Completion(content="<think>The user wants a chair.", choice=CUT), "the token limit is"
    ),
    "cut off": Behaviour("attempt", Completion(content="A depth map of a", choice=CUT)),
    "error after a few words": Behaviour("attempt", Completion(document={"error": {"message": "upstream"}})),
    "refusal": Behaviour("attempt", Completion(message={"content": None, "refusal": "I'm sorry, I can't help."})),
    "refusal in words": Behaviour("attempt", Completion(content="I'm sorry, but I can't help with that.")),
    "only a preamble": Behaviour("attempt", Completion(content="Sure, here is a caption:")),
    "filtered": Behaviour("attempt", Completion(content="A depth", choice={"finish_reason": "content_filter"})),
    "tool call": Behaviour(
        "attempt",
        Completion(
            message={"content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f"}}]},
            choice={"finish_reason": "tool_calls"},
        ),
    ),
    "content filter": Behaviour("attempt", _error(400, "The response was filtered", code="content_filter")),
    "moderation": Behaviour("attempt", _error(403, "Your input was flagged by moderation")),
    # a parameter is refused
    "temperature": Behaviour(
        "adapts",
        _error(400, "Unsupported value: 'temperature' does not support 0.9 with this model.", param="temperature"),
        "the server does not take 'temperature'",
    ),
    "max_completion_tokens": Behaviour(
        "adapts",
        _error(400, "Unrecognized request argument supplied: max_completion_tokens"),
        "'max_tokens' is sent instead",
    ),
    "max_tokens": Behaviour(
        "adapts",
        _error(400, "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
        "'max_completion_tokens' is sent instead",
    ),
    "n": Behaviour("adapts", _error(400, "unknown field 'n'"), "the server does not take 'n'"),
    "reasoning_effort": Behaviour(
        "adapts",
        Raw(422, b'{"detail": [{"loc": ["body", "reasoning_effort"], "msg": "extra fields not permitted"}]}'),
        "the server does not take 'reasoning_effort'",
    ),
    "token limit": Behaviour(
        "adapts",
        _error(400, "max_tokens is too large. This model supports at most 40 of them", param="max_tokens"),
        "does not take a token limit of 150; 75 is the highest",
    ),
    "context length": Behaviour(
        "adapts",
        _error(400, "This model's maximum context length is 100 tokens. Please reduce the length."),
        "does not take a token limit of 150; 75 is the highest",
    ),
    # odd, and an answer all the same
    "slow first byte": Behaviour("answer", Completion()),
    "foreign": Behaviour("answer", Completion(content=FOREIGN)),
    "long": Behaviour("answer", Completion(content="A depth map of a chair " + "and a chair " * 900)),
    "echo": Behaviour("answer", lambda _body, key: Completion(content=f"Your key is {key}.")),
    "same as ever": Behaviour("answer", Completion(content="A depth map of a chair.")),
    "list of parts": Behaviour(
        "answer",
        _text(lambda name: [{"type": "text", "text": "A depth "}, {"type": "text", "text": f"map of a {name}."}]),
    ),
    "several choices": Behaviour(
        "answer",
        lambda body, _key: Completion(
            document={"choices": [{"message": {"content": f"A depth map of a {_name(body)} {i}."}} for i in range(3)]}
        ),
    ),
    "no usage": Behaviour("answer", Completion(document=NO_USAGE)),
    "null usage": Behaviour("answer", Completion(document={"usage": None})),
    "no names": Behaviour("answer", Completion(document={"id": ..., "model": ..., "created": ..., "object": ...})),
    "no finish reason": Behaviour("answer", Completion(choice={"finish_reason": None})),
    "reasoning first": Behaviour("answer", _text(lambda name: f"<think>Hm.</think>\n\nA depth map of a {name}.")),
    "JSON answer": Behaviour("answer", _text(lambda name: f'```json\n["A depth map of a {name}."]\n```')),
    "token limit ignored": Behaviour(
        "answer", Completion(document={"usage": {"prompt_tokens": 11, "completion_tokens": 900}})
    ),
    # no request will be answered
    "401": Behaviour("stops", _error(401, "wrong key"), "the key is not accepted"),
    "402": Behaviour("stops", _error(402, "pay first"), "no credit left"),
    "403": Behaviour("stops", _error(403, "not for you"), "the key may not do this"),
    "404 model": Behaviour("stops", _error(404, "it does not exist", code="model_not_found"), "no such model"),
    "404 page": Behaviour("stops", Raw(404, b'{"detail": "Not Found"}'), "no such page, expected an OpenAI-compatible"),
    "404 web page": Behaviour("stops", Raw(404, PAGE, kind="text/html"), "it answers with a web page"),
    "405": Behaviour("stops", _error(405, "method not allowed"), "nothing there takes requests"),
    "413": Behaviour("stops", _error(413, "too much"), "the request is refused"),
    "bad request": Behaviour("stops", _error(400, "messages: expected an image"), "the request is refused"),
    "quota": Behaviour("stops", _error(429, "no credit", code="insufficient_quota"), "no credit left"),
    "429 after hours": Behaviour(
        "stops", _error(429, "slow down", headers={"Retry-After": "7200"}), "longer than generate.longest_wait"
    ),
    "429 after for ever": Behaviour(
        "stops", _error(429, "slow down", headers={"Retry-After": "inf"}), "longer than generate.longest_wait"
    ),
}


def of_kind(*kinds):
    """The names of the behaviours of some kinds."""
    return tuple(name for name, behaviour in BEHAVIOURS.items() if behaviour.kind in kinds)
