"""Runs of the language model's client against the loopback server, and what must hold after each of them."""

import asyncio
import json
import ssl
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import anyio
import pytest
from llm_server import LanguageModel

from stages.artifacts.record import open_record
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.language.llm.answers import is_complete, needs_asking
from stages.language.llm.query import ask
from stages.language.llm.requests import Request
from stages.language.llm.subjects import Subject

ROOT = Path(__file__).parents[1]
KEY = "sk-secret-0123456789abcdef"
TODAY = date(2026, 1, 1)


def request_about(name, *, max_tokens=50, limit_name="max_tokens", **more):
    messages = [{"role": "user", "content": f"Describe a {name}."}]
    body = {"model": "toy", "messages": messages, "n": 1, limit_name: max_tokens, "temperature": 0.9} | more
    subject = Subject(name)
    return Request(subject=subject, family="caption", sample=0, sentences=1, max_tokens=max_tokens, body=body)


BASE = replace(load_params(ROOT).generate, model="toy", concurrency=2, timeout=5.0, attempts=4)


NAMES = ("chair", "lamp", "sofa", "vase")
REQUESTS = [request_about(name) for name in NAMES]


def config_for(server, **changes):
    return replace(BASE, **{"base_url": server.base_url} | changes)


async def no_pause(_seconds):
    await asyncio.tasks.sleep(0)


def ask_recorded(requests, config, path, *, warn=None, sleep=no_pause, key=KEY):
    """Ask for what the record at `path` has no complete answer to."""
    with open_record(path) as record:
        lines = record.lines
        lacking = [
            one for one in requests if needs_asking(one, lines.get(one.key, []), longest_answer=config.longest_answer)
        ]
        if lacking:
            warn = warn or pytest.fail
            ask(lacking, config, key=key, history=lines, today=TODAY, save=record.add, warn=warn, sleep=sleep)


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run_to_the_end(requests, config, path, *, runs):
    """What a person is told until every request has its answer, within so many runs."""
    told = []
    for _ in range(runs):
        try:
            ask_recorded(requests, config, path, warn=told.append)
        except InputError as error:
            told.append(str(error))
        if {line["key"] for line in lines_of(path) if is_complete(line)} == {one.key for one in requests}:
            return told
    pytest.fail(f"never done: {told}")


def check_books(requests, server, path):
    """Each request has one complete answer, none was paid twice, and every paid response is in the record."""
    lines = lines_of(path)
    assert sorted(line["key"] for line in lines if is_complete(line)) == sorted(one.key for one in requests)
    asked = Counter(body["messages"][0]["content"] for body in server.sent)
    assert set(asked.values()) == {1} and len(asked) == len(requests)
    billed = [line for line in lines if line["prompt_tokens"]]
    assert len(billed) == len(server.paid)
    for line in lines:
        assert line["answer"].strip() or not is_complete(line)


def check_told(told, path):
    assert not [text for text in told if "\n" in text or "Traceback" in text or "object at 0x" in text]
    written = [file.read_text() for file in path.parent.iterdir()]
    assert not [text for text in (*written, *told) if KEY in text]


@contextmanager
def quiet_server():
    """A server, and a client that neither reads certificates nor pauses between the library's retries."""
    with pytest.MonkeyPatch.context() as patch:
        # plain http: the certificates that every client reads would take half of the time
        patch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: None)
        patch.setattr(anyio, "sleep", no_pause)
        yield LanguageModel()
