"""Asking a server: whatever fails, each paid answer is recorded exactly once and the key is nowhere."""

import asyncio
import itertools
import json
import logging
import signal
import ssl
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_server import FAULTS, LanguageModel

from stages.artifacts.record import open_record
from stages.config.generate import Price
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.language.llm.client import LONGEST_PAUSE, pause_after
from stages.language.llm.cost import longest
from stages.language.llm.query import ask
from stages.language.llm.requests import Request
from stages.language.llm.subjects import Subject

ROOT = Path(__file__).parents[1]
KEY = "sk-secret-0123456789abcdef"
TODAY = date(2026, 1, 1)


def request_about(name, *, max_tokens=50):
    messages = [{"role": "user", "content": f"Describe a {name}."}]
    body = {"model": "toy", "messages": messages, "n": 1, "max_tokens": max_tokens}
    subject = Subject(name)
    return Request(subject=subject, family="caption", sample=0, sentences=1, max_tokens=max_tokens, body=body)


BASE = load_params(ROOT).generate


def config_for(server, **changes):
    values = {name: getattr(BASE, name) for name in BASE.__dataclass_fields__}
    values |= {"model": "toy", "base_url": server.base_url, "concurrency": 2, "timeout": 5.0, "attempts": 4} | changes
    return type(BASE)(**values)


async def no_pause(_seconds):
    await asyncio.sleep(0)


def ask_recorded(requests, config, path, *, warn=None):
    """Ask for what the record at `path` lacks."""
    with open_record(path) as record:
        lacking = [one for one in requests if one.key not in record.answers]
        if lacking:
            ask(lacking, config, key=KEY, today=TODAY, save=record.add, warn=warn or pytest.fail, sleep=no_pause)


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def running():
    with pytest.MonkeyPatch.context() as patch:
        # plain http: the certificates that every client reads would take half of the time
        patch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: None)
        yield LanguageModel()


@pytest.fixture
def server(running):
    running.reset()
    return running


class Messages(logging.Handler):
    """Every message of every logger."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts = []

    def emit(self, record):
        self.texts.append(f"{record.getMessage()} {record.exc_info}")


REQUESTS = [request_about(name) for name in ("chair", "lamp", "sofa", "vase")]
NUMBER = itertools.count()


@settings(max_examples=220, deadline=None, derandomize=True)
@given(faults=st.lists(st.sampled_from(FAULTS), max_size=9))
def test_after_any_faults_the_record_holds_each_paid_answer_once_and_no_key(faults, running, tmp_path_factory):
    running.reset()
    running.faults.extend(faults)
    running.hang = 0.12
    config = config_for(running, timeout=0.1 if "timeout" in faults else 5.0)
    path = tmp_path_factory.mktemp("record") / "toy.jsonl"
    log, errors = Messages(), []
    root = logging.getLogger()
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.DEBUG)
    try:
        for _ in range(len(faults) + 2):
            try:
                ask_recorded(REQUESTS, config, path)
                break
            except InputError as error:
                errors.append(str(error))
                recorded = {line["key"] for line in lines_of(path)} if path.exists() else set()
                assert recorded >= {one.key for one in REQUESTS if running.sent.count(one.body)}
        else:
            pytest.fail(f"never done: {errors}")
    finally:
        root.removeHandler(log)
        root.setLevel(level)
    keys = [line["key"] for line in lines_of(path)]
    assert keys == sorted(one.key for one in REQUESTS)
    assert all(running.sent.count(one.body) == 1 for one in REQUESTS) or "timeout" in faults
    assert all("\n" not in error for error in errors)
    written = [file.read_text() for file in path.parent.iterdir()]
    assert not [text for text in (*written, *errors, *log.texts) if KEY in text]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("401", "the key is not accepted"),
        ("404", "no such model, or it is gone"),
        ("quota", "the request is refused"),
    ],
)
def test_what_cannot_be_helped_ends_the_run_at_once(fault, message, server, tmp_path):
    server.faults.append(fault)
    with pytest.raises(InputError, match=message):
        ask_recorded(REQUESTS, config_for(server, concurrency=1), tmp_path / "toy.jsonl")
    assert len(server.seen) == 1


def test_a_request_that_keeps_failing_does_not_stop_the_others(server, tmp_path):
    server.faults.extend(["500"] * 4)
    path = tmp_path / "toy.jsonl"
    with pytest.raises(InputError, match="1 requests failed 4 times, lastly: InternalServerError"):
        ask_recorded(REQUESTS, config_for(server, concurrency=1), path)
    assert len(lines_of(path)) == 3


def test_the_budget_in_requests_stops_cleanly_and_the_next_run_goes_on(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    with pytest.raises(InputError, match="used up after 3 requests and 54 tokens; all answers are saved"):
        ask_recorded(REQUESTS, config_for(server, budget_requests=3), path)
    assert len(lines_of(path)) == len(server.seen) == 3
    ask_recorded(REQUESTS, config_for(server, budget_requests=3), path)
    assert len(lines_of(path)) == len(server.seen) == 4


@pytest.mark.parametrize("concurrency", [1, 4])
def test_the_budget_in_tokens_is_never_exceeded(concurrency, server, tmp_path):
    budget = longest(REQUESTS[0]) + 20
    with pytest.raises(InputError, match="used up"):
        ask_recorded(REQUESTS, config_for(server, budget_tokens=budget, concurrency=concurrency), tmp_path / "t.jsonl")
    assert 18 * len(server.sent) <= budget
    assert len(server.sent) >= 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0),
        (None, 4.0),
        ("soon", 4.0),
    ],
)
def test_the_pause_is_what_the_server_asks_for_or_grows(header, seconds):
    class Response:
        headers = {} if header is None else {"retry-after": header}

    error = openai.OpenAIError()
    error.response = Response()
    assert pause_after(error, attempt=2, now=datetime(2026, 1, 1, tzinfo=UTC)) == seconds
    assert pause_after(openai.OpenAIError(), attempt=50, now=datetime(2026, 1, 1, tzinfo=UTC)) == LONGEST_PAUSE


def test_retry_after_reaches_the_clock(server, tmp_path):
    server.faults.append("429 after")
    pauses = []

    async def note(seconds):
        pauses.append(seconds)

    ask(REQUESTS[:1], config_for(server), key=KEY, today=TODAY, save=lambda _: None, warn=pytest.fail, sleep=note)
    assert pauses == [7.0]


def model_that_ends(days):
    return {
        "id": "toy",
        "object": "model",
        "created": 0,
        "owned_by": "x",
        "shutdown_date": str(TODAY + timedelta(days)),
    }


def test_a_model_near_its_end_is_a_warning(server, tmp_path):
    server.models = [model_that_ends(30)]
    warnings = []
    ask_recorded(REQUESTS, config_for(server), tmp_path / "toy.jsonl", warn=warnings.append)
    assert warnings == [f"model 'toy' ends on 2026-01-31, says {server.base_url}"]


def test_a_model_that_has_ended_is_an_error_and_nothing_is_asked(server, tmp_path):
    server.models = [model_that_ends(-1)]
    with pytest.raises(InputError, match="generate.model 'toy': ended on 2025-12-31"):
        ask_recorded(REQUESTS, config_for(server), tmp_path / "toy.jsonl")
    assert server.seen == []


@pytest.mark.parametrize("models", [None, [], [model_that_ends(400)]])
def test_a_server_without_end_dates_is_taken_as_it_is(models, server, tmp_path):
    server.models = models
    ask_recorded(REQUESTS, config_for(server), tmp_path / "toy.jsonl")
    assert len(server.seen) == len(REQUESTS)


def test_nobody_to_ask_is_one_line_with_the_price(server, tmp_path):
    config = config_for(server, prices={"toy": Price(prompt=1e6, completion=0.0)}, base_url=None)
    with pytest.raises(
        InputError, match=r"^4 answers of model 'toy' are missing .* dollars\); to ask for them set"
    ) as caught:
        ask_recorded(REQUESTS, config, tmp_path / "toy.jsonl")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "toy.jsonl").exists()


KILLED = """
import asyncio, sys
from datetime import date
from pathlib import Path
sys.path.insert(0, "tests")
from test_language_client import TODAY, KEY, ask_recorded, config_for, request_about
class Server: base_url = sys.argv[1]
ask_recorded([request_about(f"thing{i}") for i in range(500)], config_for(Server, concurrency=8), Path(sys.argv[2]))
"""


def test_a_killed_run_goes_on_where_it_was(server, tmp_path):
    server.delay = 0.002
    path = tmp_path / "toy.jsonl"
    command = [sys.executable, "-c", KILLED, server.base_url, str(path)]
    first = subprocess.Popen(command, cwd=ROOT)
    while len(server.seen) < 150 and first.poll() is None:
        time.sleep(0.005)
    first.kill()
    assert first.wait() == -signal.SIGKILL, "it ended before it could be killed"
    time.sleep(0.1)
    seen = len(server.seen)
    assert 150 <= seen < 500
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    times = Counter(body["messages"][0]["content"] for body in server.seen)
    assert len(times) == 500 and max(times.values()) <= 2
    assert sum(times.values()) - 500 <= 8  # those in flight
    assert len(lines_of(path)) == len({line["key"] for line in lines_of(path)}) == 500


def test_a_batch_answers_everything_in_one_file(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    ask_recorded(REQUESTS, config_for(server, batch=True), path)
    assert [line["key"] for line in lines_of(path)] == sorted(one.key for one in REQUESTS)
    assert [body["n"] for body in server.seen] == [1] * 4
    assert len(server.batches) == 1


def test_a_batch_that_waits_is_found_again_and_not_paid_twice(server, tmp_path):
    path = tmp_path / "toy.jsonl"

    async def killed(_seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(REQUESTS, config_for(server, batch=True), key=KEY, today=TODAY, save=print, warn=pytest.fail, sleep=killed)
    ask_recorded(REQUESTS, config_for(server, batch=True), path)
    assert len(server.batches) == 1
    assert len(server.seen) == len(lines_of(path)) == 4


def test_a_batch_with_failures_keeps_the_rest_and_is_asked_again_for_those(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    server.faults.append("500")
    with pytest.raises(InputError, match="batch batch-0 is completed; 1 requests have no answer yet"):
        ask_recorded(REQUESTS, config_for(server, batch=True), path)
    assert len(lines_of(path)) == 3
    ask_recorded(REQUESTS, config_for(server, batch=True), path)
    assert len(lines_of(path)) == len(server.seen) == 4


def test_a_batch_keeps_within_the_budget(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    with pytest.raises(InputError, match="2 requests have no answer yet"):
        ask_recorded(REQUESTS, config_for(server, batch=True, budget_requests=2), path)
    assert len(lines_of(path)) == len(server.seen) == 2
