"""Asking by the Batch interface: one file of requests, one file of answers hours later, at a lower price.

A batch is marked with a hash of its requests: a run that was killed while it waited finds it again, nothing is paid
twice.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial

from stages.core.errors import InputError
from stages.language.llm.client import Failed, Limits, Server, Unusable, answer_of
from stages.language.llm.cost import longest
from stages.language.llm.requests import Request

ENDPOINT, WINDOW, MARK = "/v1/chat/completions", "24h", "requests"
RUNNING = ("validating", "in_progress", "finalizing", "cancelling")


async def ask_batch(
    requests: Sequence[Request], *, server: Server, limits: Limits, poll: float, save: Callable[[dict], None]
) -> None:
    """Ask `requests`, as many as the budget allows, in one batch; look every `poll` seconds whether it has ended.

    InputError when it failed, or when answers are missing in the end: those that came are saved.
    """
    by_key = {request.key: request for request in within(requests, limits)}
    if not by_key:
        raise InputError("params.yaml: generate.budget: too small for a single request")
    try:
        batch = await server.with_retries(lambda: _find_or_create(server, list(by_key.values())))
        while batch.status in RUNNING:
            await server.sleep(poll)
            batch = await server.with_retries(partial(server.api.batches.retrieve, batch.id))
        lines = await _lines(server, batch.output_file_id)
    except Failed as problem:
        raise InputError(f"{server.base_url}: {problem}; the next run goes on with the same batch") from problem
    for line in lines:
        answer = _answer(line, by_key, server)
        if answer is not None:
            save(answer)
            del by_key[answer["key"]]
    left = len(by_key) + len(requests) - len(within(requests, limits))
    if left:
        raise InputError(
            f"{server.base_url}: batch {batch.id} is {batch.status}; {left} requests have no answer yet: run again"
        )


def within(requests: Sequence[Request], limits: Limits) -> list[Request]:
    """The first of `requests` that the budget allows, each reckoned at its longest."""
    kept, tokens = [], 0
    for request in requests[: limits.requests]:
        tokens += longest(request)
        if limits.tokens is not None and tokens > limits.tokens:
            break
        kept.append(request)
    return kept


async def _find_or_create(server: Server, requests: list[Request]):
    """The batch of exactly these requests that runs or has answers, or a new one."""
    mark = hashlib.sha256("".join(sorted(request.key for request in requests)).encode()).hexdigest()
    async for batch in server.api.batches.list():
        if (batch.metadata or {}).get(MARK) == mark and (batch.status in RUNNING or batch.output_file_id):
            return batch
    lines = [
        json.dumps({"custom_id": request.key, "method": "POST", "url": ENDPOINT, "body": request.body})
        for request in requests
    ]
    content = ("\n".join(lines) + "\n").encode()
    file = await server.api.files.create(file=("requests.jsonl", content), purpose="batch")
    return await server.api.batches.create(
        input_file_id=file.id, endpoint=ENDPOINT, completion_window=WINDOW, metadata={MARK: mark}
    )


async def _lines(server: Server, file_id: str | None) -> list[str]:
    if file_id is None:
        return []
    content = await server.with_retries(lambda: server.api.files.content(file_id))
    return content.text.splitlines()


def _answer(line: str, by_key: dict[str, Request], server: Server) -> dict | None:
    """The record's line of one line of the answer file; None when that request failed or was not asked for."""
    try:
        found = json.loads(line)
        return answer_of(by_key[found["custom_id"]], found["response"]["body"], server=server)
    except (ValueError, KeyError, TypeError, Unusable):
        return None
