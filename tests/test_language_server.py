"""Waits, addresses, keys, certificates, lists of models, and answers that come piece by piece."""

import shutil
import ssl
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from llm_behaviours import BEHAVIOURS, PAGE, Raw
from llm_runs import (
    NAMES,
    REQUESTS,
    TODAY,
    ask_recorded,
    check_books,
    check_told,
    config_for,
    lines_of,
    quiet_server,
    run_to_the_end,
)
from llm_server import LanguageModel

from stages.core.errors import InputError
from stages.language.llm.server import retry_after


@pytest.fixture(scope="module")
def running():
    with quiet_server() as server:
        yield server


@pytest.fixture
def server(running):
    running.reset()
    return running


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


def test_a_long_wait_is_announced_once_for_all_requests_under_way(server, tmp_path):
    server.faults.extend(["429 after minutes"] * 4)
    server.delay, told = 0.02, []
    ask_recorded(REQUESTS, config_for(server, concurrency=4), tmp_path / "toy.jsonl", warn=told.append)
    assert len(told) == 1 and len(server.seen) == 8


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


def test_a_server_without_encryption_is_one_line(server, tmp_path):
    config = config_for(server, base_url=server.base_url.replace("http:", "https:"))
    with pytest.raises(InputError, match="no encrypted connection .*; is it http and not https?") as caught:
        ask_recorded(REQUESTS, config, tmp_path / "toy.jsonl")
    assert "\n" not in str(caught.value)


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
