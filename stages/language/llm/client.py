"""Asking a server: a few requests at a time, what fails in passing again, within a budget, nothing lost.

Every response is handed to `save` before anything else happens, so what is paid for is kept however a run ends.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime

import openai

from stages.core.errors import InputError, one_line
from stages.language.llm.answers import (
    TOKEN_LIMITS,
    Lines,
    NoAnswer,
    filtered_line,
    is_all_reasoning,
    is_complete,
    next_token_limit,
    parse_response,
)
from stages.language.llm.budget import Budget, Limits
from stages.language.llm.cost import most_tokens
from stages.language.llm.parameters import Parameters
from stages.language.llm.requests import Request
from stages.language.llm.server import Refusal, RequestFailed, Server

MOST_FAILURES = 10  # requests in a row; after as many the server is taken to be out of order


async def ask_all(
    requests: Iterable[Request],
    *,
    server: Server,
    parameters: Parameters,
    limits: Limits,
    history: Lines,
    save: Callable[[dict], None],
) -> None:
    """Ask every request; `save` gets each response, as the record keeps it, before anything else is sent.

    `history` are the attempts that the record holds. InputError when some requests kept failing, when the server
    refuses, or when the budget is used up: what came before is saved, and so is what was under way.
    """
    waiting, run = iter(requests), _Run(server, parameters, limits, save)

    async def work() -> None:
        for request in waiting:
            await run.ask(request, list(history.get(request.key, ())))
            if run.is_over:
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(limits.concurrency):
            group.create_task(work())
    run.raise_problem()


class _Run:
    """One run over many requests: what it has spent, and what ended it."""

    def __init__(self, server: Server, parameters: Parameters, limits: Limits, save: Callable[[dict], None]):
        self._server, self._parameters, self._limits, self._save = server, parameters, limits, save
        self._budget = Budget(limits)
        self._failed: list[RequestFailed] = []
        self._failures_in_a_row = 0
        self._refused: InputError | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be sent."""
        return bool(self._refused) or self._budget.exhausted or self._failures_in_a_row >= MOST_FAILURES

    async def ask(self, request: Request, lines: list[dict]) -> None:
        """Ask `request`, which has the attempts `lines`, until it is answered or has been asked often enough."""
        for _ in range(1 + self._limits.reasks):
            token_limit = next_token_limit(request, lines, longest_answer=self._limits.longest_answer)
            if token_limit is None or self.is_over:
                return
            try:
                line = await self._attempt(request, token_limit, attempt=len(lines) + 1)
                if line is None:
                    return
                self._save(line)
            except RequestFailed as problem:
                self._failed.append(problem)
                self._failures_in_a_row += 1
                return
            except InputError as problem:
                self._refused = self._refused or problem
                return
            self._failures_in_a_row = 0
            if is_complete(line):
                return
            lines.append(line)
            if is_all_reasoning(line):
                higher = next_token_limit(request, lines, longest_answer=self._limits.longest_answer)
                self._parameters.raise_lowest(higher or 0)

    def raise_problem(self) -> None:
        """InputError that says what ended the run early, or what is missing at its end."""
        if self._refused:
            raise self._refused
        if self._budget.exhausted:
            raise InputError(
                f"params.yaml: generate.budget: used up after {self._budget.sent} requests and {self._budget.used} "
                "tokens; all answers are saved, the next run asks for the rest"
            )
        if self._failed:
            raise InputError(
                f"{self._server.base_url}: {len(self._failed)} requests failed after all retries, lastly: "
                f"{self._failed[-1]}; all answers are saved, the next run asks for the rest"
            )

    async def _attempt(self, request: Request, token_limit: int, *, attempt: int) -> dict | None:
        """The record's line of one response; None when it no longer fits into the budget."""
        while True:
            body = self._parameters.body(request, token_limit)
            limit = next(body[name] for name in TOKEN_LIMITS if name in body)
            most, used = most_tokens(request, token_limit=limit), 0
            if not self._budget.reserve(most):
                return None
            try:
                line = await self._server.with_retries(lambda: self._response(request, body, attempt))  # noqa: B023
                used = line["prompt_tokens"] + line["completion_tokens"]
                if "tokens" not in line:
                    self._parameters.check_limit(body, line["completion_tokens"])
                return line
            except openai.APITimeoutError as error:
                if body.get("stream"):
                    raise RequestFailed("no answer within generate.timeout seconds") from error
                self._parameters.stream()
            except openai.APIStatusError as error:
                refusal = Refusal.from_error(error)
                if refusal.is_filter:
                    return filtered_line(request, sent=body, attempt=attempt)
                changed = self._parameters.body(request, token_limit) != body  # by a request beside this one
                if not changed and not self._parameters.learn(refusal, body):
                    raise self._server.problem(refusal) from error
            finally:
                self._budget.settle(most, used=used)

    async def _response(self, request: Request, body: dict, attempt: int) -> dict:
        model, messages = body["model"], body["messages"]
        more = {key: value for key, value in body.items() if key not in ("model", "messages", "stream")}
        chat = self._server.api.chat.completions
        if body.get("stream"):
            response = await _streamed(chat, model, messages, more)
        else:
            response = _plain(await chat.create(model=model, messages=messages, extra_body=more))
        line = parse_response(response, request, sent=body, attempt=attempt)
        return line | {"answer": self._server.redacted(line["answer"])}


async def check_model(server: Server, model: str, *, today: date, warn_days: int) -> str | None:
    """A warning when the server's list says that `model` ends within `warn_days`; InputError when it has ended.

    A server without such a list, or without end dates, is taken as it is.
    """
    try:
        listing = await server.api.with_options(max_retries=0).get("/models", cast_to=object)
    except openai.APIConnectionError as error:
        problem = server.connection_problem(error)
        if isinstance(problem, InputError):
            raise problem from error
        return None
    except (openai.OpenAIError, ValueError):
        return None
    models = listing.get("data") if isinstance(listing, dict) else listing
    entries = [entry for entry in models if isinstance(entry, dict)] if isinstance(models, list) else []
    ends = next((entry.get("shutdown_date") for entry in entries if entry.get("id") == model), None)
    last_day = _day(ends)
    if last_day is None:
        return None
    if last_day <= today:
        raise InputError(f"params.yaml: generate.model '{model}': ended on {last_day}, says {server.base_url}")
    if (last_day - today).days <= warn_days:
        return f"model '{model}' ends on {last_day}, says {server.base_url}"
    return None


async def _streamed(chat, model: str, messages: list[dict], more: dict) -> dict:
    """The whole of a response that comes piece by piece."""
    try:
        async with chat.stream(model=model, messages=messages, extra_body=more) as stream:
            await stream.until_done()
            completion = _plain(stream.current_completion_snapshot)
    except openai.OpenAIError:
        raise
    except Exception as error:  # whatever the transport or the library's parser raises in the middle of a stream
        raise NoAnswer(f"the answer broke off ({one_line(error)[:100]})") from error
    choices = completion.get("choices") or [{}]
    if not choices[0].get("finish_reason"):
        raise NoAnswer("the answer broke off")
    return completion


def _plain(completion: object) -> object:
    """A response as the server sent it: a dictionary where it was a JSON object."""
    return completion.to_dict(warnings=False) if isinstance(completion, openai.BaseModel) else completion


def _day(value: object) -> date | None:
    """A day given as text or in seconds since 1970; None where it is neither."""
    try:
        if isinstance(value, str):
            return date.fromisoformat(value[:10])
        return datetime.fromtimestamp(value, UTC).date()
    except (ValueError, TypeError, OverflowError, OSError):
        return None
