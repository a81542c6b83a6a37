"""Asking an OpenAI-compatible server: a few requests at a time, patient with faults, within a budget, nothing lost.

Every answer is handed to `save` before anything else happens, so what is paid for is kept however a run ends.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import openai

from stages.core.errors import InputError
from stages.language.llm.answers import record_line
from stages.language.llm.cost import longest
from stages.language.llm.requests import Request

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds; doubled after every failure
TRANSIENT_ERRORS = (openai.RateLimitError, openai.InternalServerError, openai.APIConnectionError, openai.ConflictError)
SHORTEST_SECRET = 8  # a shorter key is no secret ("none", for one's own server), and may be a word of an answer


class Unusable(Exception):
    """An answer that says nothing: not JSON, or without a choice."""


class Failed(Exception):
    """A request that kept failing."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Requests under way at a time, attempts each, and what a run may send and use; None is no limit."""

    concurrency: int
    attempts: int
    requests: int | None = None
    tokens: int | None = None


class Budget:
    """What a run has sent, used and may still use, with what is under way reckoned at its longest."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self.sent, self.used, self._reserved = 0, 0, 0
        self.exhausted = False

    def reserve(self, tokens: int) -> bool:
        """Whether one more request of at most `tokens` fits; if so it is reckoned in."""
        limits = self._limits
        if (limits.requests is not None and self.sent + 1 > limits.requests) or (
            limits.tokens is not None and self.used + self._reserved + tokens > limits.tokens
        ):
            self.exhausted = True
            return False
        self.sent += 1
        self._reserved += tokens
        return True

    def settle(self, tokens: int, *, used: int) -> None:
        """A request of at most `tokens` has ended and used so many."""
        self._reserved -= tokens
        self.used += used


class Server:
    """A server, the key that it is asked with and how with_retries; no message that leaves here holds the key."""

    def __init__(self, base_url: str, key: str, *, timeout: float, attempts: int, sleep: Sleep = asyncio.sleep):
        self.base_url, self._key, self._attempts, self.sleep = base_url, key, attempts, sleep
        self.api = openai.AsyncOpenAI(base_url=base_url, api_key=key, timeout=timeout, max_retries=0)

    async def __aenter__(self) -> "Server":
        return self

    async def __aexit__(self, *_) -> None:
        await self.api.close()

    async def with_retries(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of `call`, tried again after faults that pass; Failed after the last attempt.

        InputError at once where trying again cannot help: a wrong key, an unknown model, an exhausted account.
        """
        for attempt in range(self._attempts):
            try:
                return await call()
            except (json.JSONDecodeError, UnicodeDecodeError, Unusable, *TRANSIENT_ERRORS) as error:
                last = error
                if getattr(error, "code", None) == "insufficient_quota":
                    raise self.problem(error) from error
            except openai.APIError as error:
                raise self.problem(error) from error
            if attempt + 1 < self._attempts:
                await self.sleep(pause_after(last, attempt=attempt, now=datetime.now(UTC)))
        raise Failed(self.redacted(_one_line(last))) from None

    def problem(self, error: openai.APIError) -> InputError:
        """`error` as one line that names the server and what to change."""
        hints = {
            401: "the key is not accepted (generate.key_variable names its environment variable)",
            403: "the key may not do this",
            404: "no such model, or it is gone (params.yaml: generate.model)",
        }
        hint = hints.get(getattr(error, "status_code", None), "the request is refused")
        return InputError(self.redacted(f"{self.base_url}: {hint}: {_one_line(error)}"))

    def redacted(self, text: str) -> str:
        """`text` without the key."""
        return text.replace(self._key, "[key]") if len(self._key) >= SHORTEST_SECRET else text


async def ask_all(requests: Iterable[Request], *, server: Server, limits: Limits, save: Callable[[dict], None]) -> None:
    """Ask every request; `save` gets each answer, as the record keeps it, before the next request is sent.

    InputError when some kept failing, when the server refuses, or when the budget is used up: answers that came before
    are saved, and so are those that were under way.
    """
    waiting, budget = iter(requests), Budget(limits)
    failed: list[Failed] = []
    refused: list[InputError] = []

    async def work() -> None:
        for request in waiting:
            try:
                answer = await server.with_retries(lambda request=request: _ask(request, server, budget))
            except Failed as problem:
                failed.append(problem)
                continue
            except InputError as problem:
                refused.append(problem)
            else:
                if answer is not None:
                    save(answer)
            if refused or budget.exhausted:
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(limits.concurrency):
            group.create_task(work())
    if refused:
        raise refused[0]
    if budget.exhausted:
        raise InputError(
            f"params.yaml: generate.budget: used up after {budget.sent} requests and {budget.used} tokens; "
            "all answers are saved, the next run asks for the rest"
        )
    if failed:
        raise InputError(
            f"{server.base_url}: {len(failed)} requests failed {limits.attempts} times, lastly: {failed[-1]}; "
            "all answers are saved, the next run asks for the rest"
        )


def answer_of(request: Request, completion: dict, *, server: Server) -> dict:
    """The line of the record for one completion; Unusable when it has no choice."""
    if not isinstance(completion, dict) or not completion.get("choices"):
        raise Unusable("an answer without choices")
    choice, usage = completion["choices"][0], completion.get("usage") or {}
    message = choice.get("message") or {}
    refusal = message.get("refusal")
    text = refusal or message.get("content") or ""
    if not isinstance(text, str):
        raise Unusable("an answer that is no text")
    return record_line(
        request,
        answer=server.redacted(text),
        finish_reason="refusal" if refusal else choice.get("finish_reason") or "stop",
        model=completion.get("model") or request.body["model"],
        tokens=(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0),
    )


async def check_model(server: Server, model: str, *, today: date, warn_days: int) -> str | None:
    """A warning when the server's list says that `model` ends within `warn_days`; InputError when it has ended.

    A server without such a list, or without end dates, is taken as it is.
    """

    async def listed() -> list[dict]:
        try:
            return [one.to_dict() async for one in server.api.models.list()]
        except openai.NotFoundError:  # it has no such list
            return []

    try:
        models = await server.with_retries(listed)
    except Failed as problem:
        raise InputError(f"{server.base_url}: models cannot be listed: {problem}") from problem
    ends = next((one.get("shutdown_date") for one in models if one.get("id") == model), None)
    if not ends:
        return None
    last_day = _day(ends)
    if last_day <= today:
        raise InputError(f"params.yaml: generate.model '{model}': ended on {last_day}, says {server.base_url}")
    if (last_day - today).days <= warn_days:
        return f"model '{model}' ends on {last_day}, says {server.base_url}"
    return None


def pause_after(error: Exception, *, attempt: int, now: datetime) -> float:
    """Seconds to wait: what the server's Retry-After says, in seconds or as a date, else doubled every time."""
    response = getattr(error, "response", None)
    asked = response.headers.get("retry-after") if response is not None else None
    if asked:
        try:
            return max(0.0, float(asked))
        except ValueError:
            pass
        try:
            return max(0.0, (parsedate_to_datetime(asked) - now).total_seconds())
        except (ValueError, TypeError):
            pass
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)


async def _ask(request: Request, server: Server, budget: Budget) -> dict | None:
    """One attempt at `request`; None when it no longer fits into the budget."""
    most, used = longest(request), 0
    if not budget.reserve(most):
        return None
    try:
        completion = await server.api.chat.completions.create(**request.body)
        answer = answer_of(request, _plain(completion), server=server)
        used = answer["prompt_tokens"] + answer["completion_tokens"]
        return answer
    finally:
        budget.settle(most, used=used)


def _plain(completion) -> dict | None:
    """The completion as the server sent it; None when it was no JSON object."""
    return completion.to_dict(warnings=False) if isinstance(completion, openai.BaseModel) else None


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _day(value: int | float | str) -> date:
    if isinstance(value, str):
        return date.fromisoformat(value[:10])
    return datetime.fromtimestamp(value, UTC).date()
