"""Asking a server: whatever it does, each paid response is recorded exactly once and the key is nowhere."""

import logging
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_behaviours import BEHAVIOURS, of_kind
from llm_runs import (
    KEY,
    REQUESTS,
    ROOT,
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


def test_a_server_out_of_order_is_given_up_after_a_few_requests(server, tmp_path):
    server.rules.append(lambda body: "500")
    requests = [request_about(f"thing{i}") for i in range(100)]
    with pytest.raises(InputError, match="1[0-9] requests failed after all retries, lastly: .*out of order") as caught:
        ask_recorded(requests, config_for(server, attempts=1), tmp_path / "toy.jsonl")
    assert "\n" not in str(caught.value)
    assert len(server.seen) < 20


# Sequences of faults

FAULTS = of_kind("passes", "attempt", "answer", "stops")


class Messages(logging.Handler):
    """Every message of every logger."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts = []

    def emit(self, record):
        self.texts.append(f"{record.getMessage()} {record.exc_info}")


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


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from llm_runs import ask_recorded, config_for
from test_language_client import THINGS
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


def test_a_full_disk_is_one_line(server, tmp_path):
    path = tmp_path / "toy.jsonl"
    path.with_name("toy.jsonl.journal").mkdir()
    with pytest.raises(InputError, match="toy.jsonl.journal: cannot be written"):
        ask_recorded(REQUESTS, config_for(server), path)
