"""The Batch interface: nothing is asked twice, whatever failed and whenever a run was killed."""

import pytest
from llm_runs import (
    REQUESTS,
    ask_recorded,
    check_books,
    config_for,
    lines_of,
    no_pause,
    quiet_server,
)

from stages.core.errors import InputError


@pytest.fixture(scope="module")
def running():
    with quiet_server() as server:
        yield server


@pytest.fixture
def server(running):
    running.reset()
    return running


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
