"""Asking by the Batch interface: one file of requests, files of answers and errors hours later, at a lower price.

What is under way is known by the server alone: every run first looks through its list of batches, so that nothing is
asked twice, whenever an earlier run was killed.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import openai

from stages.core.errors import InputError
from stages.language.llm.answers import (
    TOKEN_LIMITS,
    Lines,
    NoAnswer,
    filtered_line,
    needs_asking,
    next_token_limit,
    parse_response,
)
from stages.language.llm.budget import Limits, within
from stages.language.llm.parameters import Parameters
from stages.language.llm.requests import Request
from stages.language.llm.server import Refusal, RequestFailed, Server

ENDPOINT, WINDOW, MARK = "/v1/chat/completions", "24h", "requests"
RUNNING = ("validating", "in_progress", "finalizing", "cancelling")
REFUSED_FOR_GOOD = (400, 404, 422)
NEVER_STARTED = "failed"  # the status of a batch whose file was refused: nothing of it was asked


class Asked(NamedTuple):
    """A request as one line of a batch's file: with its token limit, and as which attempt."""

    request: Request
    token_limit: int
    attempt: int

    @property
    def custom_id(self) -> str:
        """Names the line: the request's key, and from the second attempt on its number."""
        return self.request.key if self.attempt == 1 else f"{self.request.key}-{self.attempt}"


@dataclass
class _Progress:
    """What is still wanted, by custom id, and what became of the rest."""

    wanted: dict[str, Asked]
    under_way: set[str] = field(default_factory=set)
    refused: dict[str, Refusal] = field(default_factory=dict)  # for good, unless the body changes
    problems: list[str] = field(default_factory=list)


async def ask_batch(
    requests: Sequence[Request],
    *,
    server: Server,
    parameters: Parameters,
    limits: Limits,
    history: Lines,
    poll: float,
    save: Callable[[dict], None],
) -> None:
    """Ask `requests`, as many as the budget allows, in one batch; look every `poll` seconds whether it has ended.

    What came blank, refused or cut off is asked in another one. InputError when answers are missing in the end: those
    that came are saved, the next run asks for the others.
    """
    lines = {key: list(of_key) for key, of_key in history.items()}

    def save_line(line: dict) -> None:
        save(line)
        lines.setdefault(line["key"], []).append(line)

    for last in (*[False] * limits.reasks, True):
        progress = _Progress({asked.custom_id: asked for asked in _asked(requests, lines, limits)})
        if not progress.wanted:
            return
        try:
            await _ask_once(progress, server, parameters, limits, poll, save_line)
        except RequestFailed as problem:
            raise InputError(f"{server.base_url}: {problem}; the next run goes on with the same batches") from problem
        except openai.APITimeoutError as problem:
            raise InputError(f"{server.base_url}: timed out; the next run goes on with the same batches") from problem
        except openai.APIStatusError as problem:
            raise server.problem(Refusal.from_error(problem)) from problem
        if progress.wanted and (last or not progress.refused):
            why = f" ({progress.problems[-1]})" if progress.problems else ""
            raise InputError(f"{server.base_url}: {len(progress.wanted)} requests have no answer yet{why}: run again")


async def _ask_once(
    progress: _Progress,
    server: Server,
    parameters: Parameters,
    limits: Limits,
    poll: float,
    save: Callable[[dict], None],
) -> None:
    """Wait for the batches under way, and for one more with what is in none of them."""
    running = await _look_through(server, progress, save)
    if fresh := _fresh(progress, limits, parameters, server):
        running.append(await _create(server, parameters, fresh))
    for batch in running:
        while batch.status in RUNNING:
            await server.sleep(poll)
            batch = await server.with_retries(partial(server.api.batches.retrieve, batch.id))
        await _collect(server, batch, progress, save)


def _asked(requests: Iterable[Request], lines: Lines, limits: Limits) -> Iterator[Asked]:
    for request in requests:
        of_request = lines.get(request.key, [])
        if needs_asking(request, of_request, longest_answer=limits.longest_answer):
            token_limit = next_token_limit(request, of_request, longest_answer=limits.longest_answer)
            yield Asked(request, token_limit, len(of_request) + 1)


async def _look_through(server: Server, progress: _Progress, save: Callable[[dict], None]) -> list[Any]:
    """Save what the batches of earlier runs answered; those that run and have something wanted."""
    running = []
    async for batch in _our_batches(server):
        if batch.status in RUNNING:
            ids = {line["custom_id"] async for line in _lines(server, batch.input_file_id)}
            if ids & progress.wanted.keys():
                progress.under_way |= ids
                running.append(batch)
        elif batch.status != NEVER_STARTED:
            await _collect(server, batch, progress, save)
    return running


async def _our_batches(server: Server) -> AsyncIterator[Any]:
    """This project's batches, newest first."""
    page = await server.with_retries(lambda: _first_page(server))
    while page is not None:
        for batch in page.data:
            if MARK in (batch.metadata or {}):
                yield batch
        page = await server.with_retries(page.get_next_page) if page.has_next_page() else None


async def _first_page(server: Server):
    return await server.api.batches.list()


def _fresh(progress: _Progress, limits: Limits, parameters: Parameters, server: Server) -> list[Asked]:
    """What is wanted and not under way, as far as the budget goes; InputError where it would be refused again."""
    fresh = [asked for custom_id, asked in progress.wanted.items() if custom_id not in progress.under_way]
    for asked in fresh:
        if refusal := progress.refused.get(asked.custom_id):
            if not parameters.learn(refusal, parameters.body(asked.request, asked.token_limit)):
                raise server.problem(refusal)
            break  # what one was refused for has changed for all
    fitting = within([(asked.request, asked.token_limit) for asked in fresh], limits)
    if fresh and not fitting:
        raise InputError("params.yaml: generate.budget: too small for a single request")
    return fresh[: len(fitting)]


async def _create(server: Server, parameters: Parameters, fresh: list[Asked]):
    """A new batch of `fresh`; where the reply is lost, the one that has this file is found, not made again."""
    lines = [
        json.dumps(
            {
                "custom_id": asked.custom_id,
                "method": "POST",
                "url": ENDPOINT,
                "body": parameters.body(asked.request, asked.token_limit),
            }
        )
        for asked in fresh
    ]
    content = ("\n".join(lines) + "\n").encode()
    mark = hashlib.sha256("".join(sorted(asked.custom_id for asked in fresh)).encode()).hexdigest()
    file = await server.with_retries(lambda: server.api.files.create(file=("requests.jsonl", content), purpose="batch"))
    once = server.api.with_options(max_retries=0)

    async def find_or_create():
        async for batch in _our_batches(server):
            if batch.input_file_id == file.id:
                return batch
        try:
            return await once.batches.create(
                input_file_id=file.id, endpoint=ENDPOINT, completion_window=WINDOW, metadata={MARK: mark}
            )
        except (openai.APIConnectionError, openai.InternalServerError) as error:
            raise NoAnswer(f"the batch may not have been created ({error})") from error

    return await server.with_retries(find_or_create)


async def _collect(server: Server, batch: Any, progress: _Progress, save: Callable[[dict], None]) -> None:
    """Save the answers of a batch that has ended, however it did, and note what it failed at."""
    if batch.status != "completed":
        errors = [problem.message for problem in (batch.errors.data or [])] if batch.errors else []
        progress.problems.append(f"batch {batch.id} is {batch.status}" + (f": {errors[0]}" if errors else ""))
    for file_id in (batch.output_file_id, batch.error_file_id):
        async for line in _lines(server, file_id):
            asked = progress.wanted.get(line.get("custom_id"))
            if asked is None:
                continue
            answer = _answer(line, asked, server)
            if isinstance(answer, dict):
                save(answer)
                del progress.wanted[asked.custom_id]
                continue
            if answer.status in REFUSED_FOR_GOOD:
                progress.refused.setdefault(asked.custom_id, answer)
            progress.problems.append(server.redacted(f"batch {batch.id}: {answer}"))


def _answer(line: dict, asked: Asked, server: Server) -> dict | Refusal:
    """The record's line in one line of a batch's file of answers or errors, or why there is none."""
    limit = next(name for name in TOKEN_LIMITS if name in asked.request.body)
    sent = asked.request.body | {limit: asked.token_limit}
    response = line.get("response") if isinstance(line.get("response"), dict) else {}
    status, body = response.get("status_code"), response.get("body")
    if status != 200:
        refusal = Refusal.from_body(status or 500, body or line)
        return filtered_line(asked.request, sent=sent, attempt=asked.attempt) if refusal.is_filter else refusal
    try:
        answer = parse_response(body, asked.request, sent=sent, attempt=asked.attempt)
    except NoAnswer as problem:
        return Refusal(500, None, None, str(problem))
    return answer | {"answer": server.redacted(answer["answer"])}


async def _lines(server: Server, file_id: str | None) -> AsyncIterator[dict]:
    """The JSON objects of a file, one a line; a file that is gone has none."""
    if file_id is None:
        return
    try:
        content = await server.with_retries(lambda: server.api.files.content(file_id))
    except InputError as problem:
        if isinstance(problem.__cause__, openai.NotFoundError):
            return
        raise
    for text in content.text.splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue  # cut off in the middle: that request counts as unanswered
        if isinstance(line, dict):
            yield line
