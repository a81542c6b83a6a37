"""Parameters that a server refuses, and responses that are no answer: changed, kept, and asked again."""

import json
from collections import Counter

import pytest
from llm_behaviours import BEHAVIOURS, of_kind
from llm_runs import (
    NAMES,
    REQUESTS,
    ask_recorded,
    check_books,
    check_told,
    config_for,
    lines_of,
    quiet_server,
    request_about,
    run_to_the_end,
)

from stages.core.errors import InputError
from stages.language.llm.answers import is_complete
from stages.language.llm.cost import most_tokens


@pytest.fixture(scope="module")
def running():
    with quiet_server() as server:
        yield server


@pytest.fixture
def server(running):
    running.reset()
    return running


ADAPTS = of_kind("adapts")
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
