"""Asking a server: whatever it does, each paid response is recorded exactly once and the key is nowhere."""

import asyncio
import itertools
import json
import logging
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_behaviours import BEHAVIOURS, PAGE, Raw, of_kind
from llm_server import LanguageModel

from stages.artifacts.record import open_record
from stages.config.params import load_params
from stages.core.errors import InputError
from stages.language.llm.answers import is_complete, needs_asking
from stages.language.llm.cost import most_tokens
from stages.language.llm.query import ask
from stages.language.llm.requests import Request
from stages.language.llm.server import retry_after
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


@pytest.fixture(scope="module")
def running():
    with pytest.MonkeyPatch.context() as patch:
        # plain http: the certificates that every client reads would take half of the time
        patch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: None)
        patch.setattr(anyio, "sleep", no_pause)  # between the library's retries
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


NAMES = ("chair", "lamp", "sofa", "vase")
REQUESTS = [request_about(name) for name in NAMES]
NUMBER = itertools.count()
ADAPTS = of_kind("adapts")


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


@pytest.mark.parametrize("name", of_kind("passes", "attempt", "answer", "stops"))
def test_whatever_a_server_does_nothing_is_lost_or_paid_twice(name, server, tmp_path):
    path, behaviour = tmp_path / "record/toy.jsonl", BEHAVIOURS[name]
    server.faults.append(name)
    server.hang = 0.3
    config = config_for(server, timeout=0.2 if name == "timeout" else 5.0)
    told = run_to_the_end(REQUESTS, config, path, runs=2 if behaviour.kind == "stops" else 1)
    check_books(REQUESTS, server, path)
    check_told(told, path)
    assert [text for text in told if behaviour.says in text] or not behaviour.says, told
    attempts = [line for line in lines_of(path) if not is_complete(line)]
    assert len(attempts) == (behaviour.kind == "attempt")
    assert len(told) == bool(behaviour.says) or name == "token limit ignored"
    if behaviour.kind == "stops":
        assert len(server.seen) <= len(REQUESTS) + config.concurrency


def test_at_least_forty_behaviours_are_played():
    assert len(BEHAVIOURS) >= 40


RULES = {
    "temperature": lambda body: "temperature" in body,
    "n": lambda body: "n" in body,
    "reasoning_effort": lambda body: "reasoning_effort" in body,
    "max_tokens": lambda body: "max_tokens" in body,
    "max_completion_tokens": lambda body: "max_completion_tokens" in body,
    "token limit": lambda body: body["max_tokens"] > 100,
    "context length": lambda body: body["max_tokens"] > 100,
}


@pytest.mark.parametrize("name", ADAPTS)
def test_a_parameter_that_is_refused_is_changed_once_and_said_once(name, server, tmp_path):
    path, refuses = tmp_path / "record/toy.jsonl", RULES[name]
    server.rules.append(lambda body: name if refuses(body) else None)
    limit_name = name if name == "max_completion_tokens" else "max_tokens"
    requests = [request_about(one, max_tokens=150, limit_name=limit_name, reasoning_effort="low") for one in NAMES]
    told = run_to_the_end(requests, config_for(server, concurrency=1), path, runs=1)
    check_books(requests, server, path)
    check_told(told, path)
    assert len(told) == 1 and BEHAVIOURS[name].says in told[0]
    assert len(server.seen) == len(requests) + 1  # remembered: only the first is refused
    sent = [line["sent"] for line in lines_of(path)]
    assert sent == [sent[0]] * len(requests)
    assert {line["key"] for line in lines_of(path)} == {one.key for one in requests}  # the key is of what was planned


def test_a_parameter_is_changed_once_however_many_requests_are_under_way(server, tmp_path):
    server.rules.append(lambda body: "temperature" if "temperature" in body else None)
    server.delay = 0.02
    told = run_to_the_end(REQUESTS, config_for(server, concurrency=4), tmp_path / "record/toy.jsonl", runs=1)
    assert len(told) == 1


def test_two_refused_parameters_are_both_changed(server, tmp_path):
    server.rules += [lambda body, name=name: name if name in body else None for name in ("temperature", "n")]
    told = run_to_the_end(REQUESTS, config_for(server), tmp_path / "record/toy.jsonl", runs=1)
    assert len(told) == 2
    assert lines_of(tmp_path / "record/toy.jsonl")[0]["sent"] == {"n": None, "temperature": None}


def test_a_field_of_extra_body_that_is_refused_stops_the_run(server, tmp_path):
    server.rules.append(lambda body: "bad request" if "top_k" in body else None)
    requests = [request_about(name, top_k=20) for name in NAMES]
    with pytest.raises(InputError, match="the request is refused"):
        ask_recorded(requests, config_for(server), tmp_path / "toy.jsonl")


def test_a_server_that_ignores_the_newer_token_limit_is_asked_with_the_older(server, tmp_path):
    server.faults.append("token limit ignored")
    requests = [request_about(name, limit_name="max_completion_tokens") for name in NAMES]
    told = run_to_the_end(requests, config_for(server, concurrency=1), tmp_path / "record/toy.jsonl", runs=1)
    assert told == ["the server does not take 'max_completion_tokens'; 'max_tokens' is sent instead from now on"]
    assert ["max_tokens" in body for body in server.seen] == [False, True, True, True]


def test_a_cut_answer_is_asked_again_with_a_higher_limit_up_to_the_longest(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    server.rules.append(lambda body: "cut off" if body["max_tokens"] < 8000 else None)
    config = config_for(server, reasks=3, longest_answer=9000)
    ask_recorded(REQUESTS[:1], config, path)
    assert [body["max_tokens"] for body in server.seen] == [50, 2048, 8192]
    assert [line.get("attempt", 1) for line in lines_of(path)] == [1, 2, 3]
    assert [line.get("sent") for line in lines_of(path)] == [None, {"max_tokens": 2048}, {"max_tokens": 8192}]
    assert [is_complete(line) for line in lines_of(path)] == [False, False, True]


def test_an_answer_cut_at_the_highest_limit_is_not_asked_again(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    server.rules.append(lambda body: "cut off")
    config = config_for(server, reasks=5, longest_answer=3000)
    for _ in range(2):
        ask_recorded(REQUESTS[:1], config, path)
    assert [body["max_tokens"] for body in server.seen] == [50, 2048, 3000]
    ask_recorded(REQUESTS[:1], config_for(server, reasks=5, longest_answer=4000), path)
    assert [body["max_tokens"] for body in server.seen[3:]] == [4000]


def test_a_run_goes_on_from_the_limit_that_the_last_one_ended_with(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    server.faults.append("cut off")
    ask_recorded(REQUESTS[:1], config_for(server, reasks=0), path)
    ask_recorded(REQUESTS[:1], config_for(server, reasks=0), path)
    assert [body["max_tokens"] for body in server.seen] == [50, 2048]


def test_a_model_that_reasons_gets_the_higher_limit_from_the_first_answer_on(server, tmp_path):
    server.rules.append(lambda body: "only reasoning" if body["max_tokens"] < 2048 else None)
    told = run_to_the_end(REQUESTS, config_for(server, concurrency=1), tmp_path / "record/toy.jsonl", runs=1)
    assert [body["max_tokens"] for body in server.seen] == [50, 2048, 2048, 2048, 2048]
    assert told == ["the model needs more tokens before it answers; the token limit is 2048 from now on"]


def test_a_request_that_never_gives_text_does_not_stop_the_others_and_is_asked_again_later(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    server.rules.append(lambda body: "null message" if "chair" in str(body) and not server.mended else None)
    server.mended = False
    ask_recorded(REQUESTS, config_for(server, reasks=2), path)
    lines = lines_of(path)
    assert Counter(line["key"] for line in lines)[REQUESTS[0].key] == 3 and len(lines) == 6
    server.mended = True
    ask_recorded(REQUESTS, config_for(server, reasks=2), path)
    assert [line["attempt"] for line in lines_of(path) if is_complete(line) and "attempt" in line] == [4]


def test_an_answer_cut_off_is_an_attempt_in_an_old_record_too(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    old = {"key": REQUESTS[0].key, "answer": "", "finish_reason": "stop", "request": REQUESTS[0].body}
    path.write_text(json.dumps(old) + "\n")
    ask_recorded(REQUESTS[:1], config_for(server), path)
    assert [line["answer"] for line in lines_of(path)] == ["", "A depth map of a chair."]


@pytest.mark.parametrize("seconds", [300, 7200])
def test_a_long_wait_is_announced_with_its_end_or_stops_the_run(seconds, server, tmp_path):
    server.faults.append("429 after minutes" if seconds == 300 else "429 after hours")
    pauses, told = [], []

    async def note(pause):
        pauses.append(pause)

    try:
        ask_recorded(REQUESTS[:1], config_for(server), tmp_path / "toy.jsonl", warn=told.append, sleep=note)
    except InputError as error:
        told.append(str(error))
    assert pauses == ([300.0] if seconds == 300 else [])
    assert len(told) == 1 and f"{seconds} seconds" in told[0] and "until " in told[0]
    assert len(server.seen) == 1 + (seconds == 300)  # the library does not repeat it meanwhile


def test_missing_usage_is_counted_from_the_text_and_the_budget_holds(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    server.rules.append(lambda body: "no usage")
    server.reply = lambda body: "A depth map of a chair, a lamp, a sofa and a vase. " * 8
    budget = most_tokens(REQUESTS[0], token_limit=50) + 60
    with pytest.raises(InputError, match="used up"):
        ask_recorded(REQUESTS, config_for(server, budget_tokens=budget, concurrency=1), path)
    line = lines_of(path)[0]
    assert line["tokens"] == "counted" and line["completion_tokens"] == -(-len(server.reply(None)) // 4)
    assert len(server.sent) == 1


def test_a_server_out_of_order_is_given_up_after_a_few_requests(server, tmp_path):
    server.rules.append(lambda body: "500")
    requests = [request_about(f"thing{i}") for i in range(100)]
    with pytest.raises(InputError, match="1[0-9] requests failed after all retries, lastly: .*out of order") as caught:
        ask_recorded(requests, config_for(server, attempts=1), tmp_path / "toy.jsonl")
    assert "\n" not in str(caught.value)
    assert len(server.seen) < 20


def test_nothing_listens_at_the_address(tmp_path):
    class Nobody:
        base_url = "http://127.0.0.1:9/v1"

    with pytest.raises(InputError, match="no connection .*; params.yaml: generate.base_url"):
        ask_recorded(REQUESTS[:2], config_for(Nobody, attempts=1), tmp_path / "toy.jsonl")


@pytest.mark.parametrize("key", ["sk-schlüssel", "sk-one\nsk-two", "sk one", "sk-\tone"])
def test_a_damaged_key_is_one_line_without_it(key, server, tmp_path):
    with pytest.raises(InputError, match="^environment variable OPENAI_API_KEY: expected ASCII letters") as caught:
        ask_recorded(REQUESTS, config_for(server), tmp_path / "toy.jsonl", key=key)
    assert key not in str(caught.value) and server.seen == []


def test_an_address_without_its_scheme_is_one_line(server, tmp_path):
    with pytest.raises(InputError, match="generate.base_url 'localhost:8000/v1': expected http:// or https://"):
        ask_recorded(REQUESTS, config_for(server, base_url="localhost:8000/v1"), tmp_path / "toy.jsonl")


# Streaming


def test_an_answer_in_pieces_is_the_same_answer(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    ask_recorded(REQUESTS, config_for(server, stream=True), path)
    assert {line["answer"].strip() for line in lines_of(path)} == {f"A depth map of a {name}." for name in NAMES}
    assert all(body["stream"] for body in server.seen)
    assert {(line["prompt_tokens"], line["completion_tokens"]) for line in lines_of(path)} == {(11, 7)}


STREAMED = ("cut", "429", "500", "no usage", "web page", "blank", "cut off", "error with status 200")


@pytest.mark.parametrize("name", (*STREAMED, "error after a few words", "slow first byte"))
def test_faults_of_streamed_answers(name, server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    server.faults.append(name)
    told = run_to_the_end(REQUESTS, config_for(server, stream=True), path, runs=1)
    check_books(REQUESTS, server, path)
    check_told(told, path)


def test_a_server_that_times_out_is_asked_for_pieces(server, tmp_path):
    path, told = tmp_path / "toy.jsonl", []
    server.rules.append(lambda body: None if body.get("stream") else "timeout")
    server.hang = 0.15
    ask_recorded(REQUESTS, config_for(server, timeout=0.1, attempts=1), path, warn=told.append)
    assert len(lines_of(path)) == 4
    assert told == ["the server did not answer in time; answers are asked for piece by piece (stream) from now on"]


def test_stream_options_are_left_out_where_they_are_refused(server, tmp_path):
    path, told = tmp_path / "toy.jsonl", []
    refusal = Raw(400, b'{"error": {"message": "Unknown field stream_options"}}')
    server.rules.append(lambda body: "stream options" if "stream_options" in body else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BEHAVIOURS, "stream options", BEHAVIOURS["n"]._replace(respond=refusal))
        ask_recorded(REQUESTS, config_for(server, stream=True), path, warn=told.append)
    assert {line["tokens"] for line in lines_of(path)} == {"counted"}
    assert len(told) == 1


# Sequences of faults

FAULTS = of_kind("passes", "attempt", "answer", "stops")


def after_any_faults(faults, server, path):
    server.reset()
    server.faults.extend(faults)
    server.hang = 0.12
    config = config_for(server, timeout=0.1 if "timeout" in faults else 5.0)
    log, root = Messages(), logging.getLogger()
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.DEBUG)
    try:
        told = run_to_the_end(REQUESTS, config, path, runs=len(faults) + 2)
    finally:
        root.removeHandler(log)
        root.setLevel(level)
    if "timeout" not in faults:
        check_books(REQUESTS, server, path)
    check_told([*told], path)
    assert not [text for text in log.texts if KEY in text]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(faults=st.lists(st.sampled_from(FAULTS), max_size=7))
def test_after_any_faults_the_record_holds_each_paid_answer_once_and_no_key(faults, running, tmp_path_factory):
    after_any_faults(faults, running, tmp_path_factory.mktemp("record") / "toy.jsonl")


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(faults=st.lists(st.sampled_from(FAULTS), max_size=12))
def test_after_many_faults_the_record_holds_each_paid_answer_once_and_no_key(faults, running, tmp_path_factory):
    after_any_faults(faults, running, tmp_path_factory.mktemp("record") / "toy.jsonl")


def test_what_cannot_be_helped_ends_the_run_at_once(server, tmp_path):
    server.faults.append("401")
    with pytest.raises(InputError, match="the key is not accepted"):
        ask_recorded(REQUESTS, config_for(server, concurrency=1), tmp_path / "toy.jsonl")
    assert len(server.seen) == 1


def test_a_key_revoked_in_mid_run_loses_nothing(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    server.faults.extend([None, None, "401"])
    with pytest.raises(InputError, match="the key is not accepted"):
        ask_recorded(REQUESTS, config_for(server, concurrency=1), path)
    assert len(lines_of(path)) == len(server.sent) == 2


def test_a_request_that_keeps_failing_does_not_stop_the_others(server, tmp_path):
    server.faults.extend(["500"] * 4)
    path = tmp_path / "toy.jsonl"
    with pytest.raises(InputError, match="1 requests failed after all retries, lastly: the server is out of order"):
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
    budget = most_tokens(REQUESTS[0], token_limit=50) + 20
    with pytest.raises(InputError, match="used up"):
        ask_recorded(REQUESTS, config_for(server, budget_tokens=budget, concurrency=concurrency), tmp_path / "t.jsonl")
    assert 18 * len(server.sent) <= budget
    assert len(server.sent) >= 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("inf", float("inf")),
        ("nan", None),
        ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0),
        ("Thu, 01 Jan 2026 00:00:09", None),
        (None, None),
        ("soon", None),
    ],
)
def test_the_wait_that_a_server_asks_for(header, seconds):
    headers = {} if header is None else {"retry-after": header}
    assert retry_after(headers, now=datetime(2026, 1, 1, tzinfo=UTC)) == seconds


def model_that_ends(days):
    return {
        "id": "toy",
        "object": "model",
        "created": 0,
        "owned_by": "x",
        "shutdown_date": str(TODAY + timedelta(days)),
    }


def test_a_model_near_its_end_is_a_warning(server, tmp_path):
    server.models = {"data": [model_that_ends(30)]}
    warnings = []
    ask_recorded(REQUESTS, config_for(server), tmp_path / "toy.jsonl", warn=warnings.append)
    assert warnings == [f"model 'toy' ends on 2026-01-31, says {server.base_url}"]


def test_a_model_that_has_ended_is_an_error_and_nothing_is_asked(server, tmp_path):
    server.models = {"data": [model_that_ends(-1)]}
    with pytest.raises(InputError, match="generate.model 'toy': ended on 2025-12-31"):
        ask_recorded(REQUESTS, config_for(server), tmp_path / "toy.jsonl")
    assert server.seen == []


LISTS = {
    "no models": {"object": "list", "data": []},
    "far away": {"data": [model_that_ends(400)]},
    "an array": [{"id": "toy"}],
    "an array of names": ["toy"],
    "no date": {"data": [model_that_ends(1) | {"shutdown_date": "soon"}]},
    "a list as date": {"data": [model_that_ends(1) | {"shutdown_date": [1]}]},
    "null": None,
    "404": Raw(404, b'{"error": {"message": "no such page"}}'),
    "405": Raw(405, b""),
    "500": Raw(500, b""),
    "401": Raw(401, b"{}"),
    "web page": Raw(200, PAGE, kind="text/html"),
    "broken JSON": Raw(200, b'{"data": ['),
    "503 after hours": Raw(503, b"", headers={"Retry-After": "7200"}),
}


@pytest.mark.parametrize("models", LISTS)
def test_a_server_without_end_dates_is_taken_as_it_is(models, server, tmp_path):
    server.models = LISTS[models]
    ask_recorded(REQUESTS, config_for(server), tmp_path / "toy.jsonl")
    assert len(server.seen) == len(REQUESTS)


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from test_language_client import THINGS, ask_recorded, config_for
class Server: base_url = sys.argv[1]
ask_recorded(THINGS, config_for(Server, concurrency=8), Path(sys.argv[2]))
"""
THINGS = [request_about(f"thing{i}") for i in range(200)]


def test_a_killed_run_goes_on_where_it_was(server, tmp_path):
    server.delay = 0.005
    path = tmp_path / "toy.jsonl"
    first = subprocess.Popen([sys.executable, "-c", KILLED, server.base_url, str(path)], cwd=ROOT)
    while len(server.seen) < 60 and first.poll() is None:
        time.sleep(0.005)
    first.kill()
    assert first.wait() == -signal.SIGKILL, "it ended before it could be killed"
    time.sleep(0.1)
    assert 60 <= len(server.seen) < 200
    server.delay = 0.0
    ask_recorded(THINGS, config_for(server, concurrency=8), path)
    times = Counter(body["messages"][0]["content"] for body in server.seen)
    assert len(times) == 200 and max(times.values()) <= 2
    assert sum(times.values()) - 200 <= 8  # those in flight
    assert len(lines_of(path)) == len({line["key"] for line in lines_of(path)}) == 200


# Batches


def batch_of(server, **changes):
    return config_for(server, batch=True, **changes)


def in_batch(config, path, *, told=None, sleep=no_pause, requests=REQUESTS):
    """Run once; what the run says goes to `told`."""
    told = [] if told is None else told
    try:
        ask_recorded(requests, config, path, warn=told.append, sleep=sleep)
    except InputError as error:
        told.append(str(error))
    return told


def test_a_batch_answers_everything_in_one_file(server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    assert in_batch(batch_of(server), path) == []
    check_books(REQUESTS, server, path)
    assert [body["n"] for body in server.seen] == [1] * 4
    assert len(server.batches) == 1


async def killed(_seconds):
    raise KeyboardInterrupt


def test_a_batch_that_waits_is_found_again_and_not_paid_twice(server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            in_batch(batch_of(server), path, sleep=killed)
    assert in_batch(batch_of(server), path) == []
    assert len(server.batches) == 1
    check_books(REQUESTS, server, path)


def test_a_run_for_more_classes_asks_only_for_what_is_not_under_way(server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    with pytest.raises(KeyboardInterrupt):
        in_batch(batch_of(server), path, sleep=killed, requests=REQUESTS[:3])
    assert in_batch(batch_of(server), path) == []
    assert len(server.batches) == 2
    check_books(REQUESTS, server, path)


def test_a_batch_whose_creation_was_not_confirmed_is_found_and_not_made_again(server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    server.lose_create = 1
    assert in_batch(batch_of(server), path) == []
    assert len(server.batches) == 1
    check_books(REQUESTS, server, path)


def test_a_run_killed_between_creation_and_answers_goes_on_whatever_page_the_batch_is_on(server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    with pytest.raises(KeyboardInterrupt):
        in_batch(batch_of(server), path, sleep=killed)
    for i in range(5):  # somebody else's, with the same key
        server.batches[f"other-{i}"] = server.batches["batch-0"] | {"id": f"other-{i}", "metadata": None}
    server.page = 2
    assert in_batch(batch_of(server), path) == []
    assert len(server.batches) == 6
    check_books(REQUESTS, server, path)


@pytest.mark.parametrize("fault", ["500", "429", "expired", "empty choices", "402"])
def test_what_failed_in_a_batch_is_asked_again_and_nothing_else(fault, server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    server.batch_faults.append(fault)
    assert "1 requests have no answer yet (batch batch-0: " in in_batch(batch_of(server), path)[0]
    assert len(lines_of(path)) == 3
    assert in_batch(batch_of(server), path) == []
    check_books(REQUESTS, server, path)
    assert len(server.batches) == 2
    assert len(server.files[server.batches["batch-1"]["input_file_id"]].splitlines()) == 1


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_a_batch_that_ends_early_gives_what_it_has(status, server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    server.batch_status = status
    server.batch_faults.extend([None, "expired", None, "expired"])
    assert "2 requests have no answer yet (batch batch-0" in in_batch(batch_of(server), path)[0]
    server.batch_status = "completed"
    assert in_batch(batch_of(server), path) == []
    check_books(REQUESTS, server, path)


def test_a_batch_that_was_refused_as_a_whole_says_why(server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    server.batch_status = "failed"
    assert (
        "4 requests have no answer yet (batch batch-0 is failed: too many tokens are waiting)"
        in (in_batch(batch_of(server), path)[0])
    )
    server.batch_status = "completed"
    assert in_batch(batch_of(server), path) == []
    check_books(REQUESTS, server, path)


def test_a_batch_in_which_all_are_refused_for_good_is_not_made_again(server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    server.batch_faults.extend(["bad request"] * 4)
    for _ in range(3):
        told = in_batch(batch_of(server), path)
        assert len(told) == 1 and "the request is refused: messages: expected an image" in told[0]
    assert len(server.batches) == 1


def test_a_parameter_that_a_batch_refuses_is_changed_in_the_next(server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    server.batch_faults.extend(["temperature"] * 4)
    told = in_batch(batch_of(server), path)
    assert told == ["the server does not take 'temperature'; it is left out from now on"]
    check_books(REQUESTS, server, path)
    assert ["temperature" in body for body in server.seen] == [True] * 4 + [False] * 4


@pytest.mark.parametrize("name", ["blank", "cut off", "refusal", "content filter", "null message"])
def test_an_attempt_in_a_batch_is_kept_and_asked_again_in_another(name, server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    server.batch_faults.append(name)
    assert in_batch(batch_of(server), path) == []
    check_books(REQUESTS, server, path)
    assert len(server.batches) == 2 and len(lines_of(path)) == 5
    in_batch(batch_of(server), path)
    assert len(server.batches) == 2 and len(lines_of(path)) == 5


def test_a_file_of_a_batch_that_is_gone_or_damaged_does_not_stop_the_run(server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    server.batch_faults.append("500")
    in_batch(batch_of(server), path)
    del server.files["batch-0-error"]
    server.files["batch-0-output"] = server.files["batch-0-output"][:-9]
    assert in_batch(batch_of(server), path) == []
    check_books(REQUESTS, server, path)


def test_a_batch_keeps_within_the_budget(server, tmp_path):
    path = tmp_path / "record/toy.jsonl"
    assert "2 requests have no answer yet" in in_batch(batch_of(server, budget_requests=2), path)[0]
    assert len(lines_of(path)) == len(server.seen) == 2
    assert in_batch(batch_of(server, budget_tokens=1), path) == [
        "params.yaml: generate.budget: too small for a single request"
    ]


def test_a_server_without_batches_is_one_line(server, tmp_path):
    told = in_batch(batch_of(server, base_url=server.base_url + "/else"), tmp_path / "toy.jsonl")
    assert len(told) == 1 and "no such page" in told[0]


def test_a_full_disk_is_one_line(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    path.with_name("toy.jsonl.journal").mkdir()
    with pytest.raises(InputError, match="toy.jsonl.journal: cannot be written"):
        ask_recorded(REQUESTS, config_for(server), path)


# Certificates


def test_a_certificate_that_nobody_vouches_for_is_one_line(tmp_path):
    certificate, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    files = ["-keyout", str(secret), "-out", str(certificate)]
    if shutil.which("openssl") is None:
        pytest.skip("no openssl program to make a certificate with")
    subprocess.run([*command, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)
    server = LanguageModel(context)
    with pytest.raises(InputError, match="its certificate is not trusted .*ca-certificates.* SSL_CERT_FILE") as caught:
        ask_recorded(REQUESTS, config_for(server), tmp_path / "toy.jsonl")
    assert "\n" not in str(caught.value) and server.seen == []
