"""An OpenAI-compatible server: the openai library's client, and what a user is told when a call fails for good."""

import asyncio
import json
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import openai

from stages.core.errors import InputError
from stages.language.llm.answers import NoAnswer

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

LONG_WAIT = 60.0  # seconds; what the library waits by itself is shorter, and not announced
LONGEST_PAUSE = 8.0  # seconds between two tries, as the library has it
SHORTEST_SECRET = 8  # a shorter key is no secret ("none", for one's own server), and may be a word of an answer
TRANSIENT_STATUSES = (408, 409, 429)  # and every 5xx
ABOUT_THE_REQUEST = (400, 403, 422)
FILTERED = re.compile(r"content.?(?:filter|policy|management)|responsible ?ai|moderation|safety|flagged", re.I)
WHERE = "params.yaml: generate.base_url, which often ends in /v1"
HINTS = {
    401: "the key is not accepted (generate.key_variable names its environment variable)",
    402: "the account has no credit left",
    403: "the key may not do this",
    404: "no such model, or it is gone (params.yaml: generate.model)",
    405: f"nothing there takes requests ({WHERE})",
}
OUT_OF_CREDIT = "insufficient_quota"


class DamagedKey(Exception):
    """A key that no HTTP header can carry."""


@dataclass(frozen=True)
class Refusal:
    """Why a server did not answer: HTTP status, its own code, the parameter that it names, its message."""

    status: int
    code: str | None
    param: str | None
    message: str

    @classmethod
    def from_error(cls, error: openai.APIStatusError) -> "Refusal":
        """What the library raised for such a response."""
        return cls.from_body(error.status_code, error.body)

    @classmethod
    def from_body(cls, status: int, body: object) -> "Refusal":
        """What a response with that status said: an error as OpenAI words it, any other JSON, or text."""
        error = body.get("error", body) if isinstance(body, dict) else body
        if not isinstance(error, dict):
            return cls(status, None, None, _short(str(error or f"status {status}")))
        message = error.get("message")
        message = message if isinstance(message, str) and message else json.dumps(error)
        return cls(status, error.get("code"), error.get("param"), _short(message))

    @property
    def is_filter(self) -> bool:
        """Whether a content filter refused this one request, and not how it is asked."""
        return self.status in ABOUT_THE_REQUEST and FILTERED.search(f"{self.code} {self.message}") is not None

    @property
    def is_transient(self) -> bool:
        """Whether the same request may be answered later."""
        return self.status in TRANSIENT_STATUSES or self.status >= 500

    def __str__(self) -> str:
        return f"{self._hint}: {self.message}"

    @property
    def _hint(self) -> str:
        if self.code == OUT_OF_CREDIT:
            return "the account has no credit left"
        if self.is_transient:
            return f"the server is out of order or overloaded ({self.status})"
        if self.status == 404 and self.code != "model_not_found" and "model" not in self.message.lower():
            return f"no such page, expected an OpenAI-compatible server ({WHERE})"
        return HINTS.get(self.status, "the request is refused")


class RequestFailed(Exception):
    """A request that failed after all its retries; another one may succeed."""


class Server:
    """A server as the openai library asks it; no message that leaves here holds the key.

    The library repeats what may pass (408, 409, 429, 5xx, lost connections) `retries` times with growing pauses. Here,
    the same holds for responses that are no answer, and for waits over a minute that the server asks for: they are
    announced, and one over `longest_wait` seconds is an InputError.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        timeout: float,
        retries: int,
        longest_wait: float,
        warn: Callable[[str], None],
        sleep: Sleep = asyncio.sleep,
    ):
        if not key.isascii() or not key.isprintable() or " " in key:
            raise DamagedKey("expected ASCII letters, digits and signs, without a space or a line break")
        self.base_url, self._key, self.sleep, self.warn = base_url, key, sleep, warn
        self._retries, self._longest_wait = retries, longest_wait
        self._announced_until = datetime.min.replace(tzinfo=UTC)
        client = openai.DefaultAsyncHttpxClient(event_hooks={"response": [_no_blind_retry]})
        self.api = openai.AsyncOpenAI(
            base_url=base_url, api_key=key, timeout=timeout, max_retries=retries, http_client=client
        )

    async def __aenter__(self) -> "Server":
        return self

    async def __aexit__(self, *_) -> None:
        await self.api.close()

    async def with_retries(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of `call`, which was repeated where that can help.

        RequestFailed after the last retry, InputError where no retry helps: a wrong key, an unknown model, no credit.
        Errors that may be about this one request (400, 403, 422), and timeouts, are left to the caller.
        """
        for attempt in range(1 + self._retries):
            try:
                return await call()
            except (NoAnswer, ValueError) as error:  # ValueError: broken JSON or text
                last, pause = error, min(LONGEST_PAUSE, 0.5 * 2**attempt)
            except openai.APITimeoutError:
                raise
            except openai.APIConnectionError as error:
                raise self.connection_problem(error) from error
            except openai.APIStatusError as error:
                if error.status_code in ABOUT_THE_REQUEST:
                    raise
                wait = _requested_wait(error)
                if wait is None:
                    raise self._final(error) from error
                last, pause = error, self._announced(wait)
            except openai.APIError as error:  # an error in the middle of a stream
                last, pause = error, min(LONGEST_PAUSE, 0.5 * 2**attempt)
            if attempt < self._retries:
                await self.sleep(pause)
        raise RequestFailed(self.redacted(_named(last))) from last

    def connection_problem(self, error: openai.APIConnectionError) -> Exception:
        """What to tell about a connection that does not come about: TLS faults stop the run, the rest may pass."""
        causes = list(_causes(error))
        fault = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
        if isinstance(fault, ssl.SSLCertVerificationError):
            return InputError(
                f"{self.base_url}: its certificate is not trusted ({_named(fault)}); install the system's CA "
                "certificates (Debian: apt-get install ca-certificates) or set SSL_CERT_FILE"
            )
        if fault is not None:
            return InputError(f"{self.base_url}: no encrypted connection ({_named(fault)}); is it http and not https?")
        return RequestFailed(f"no connection ({self.redacted(_named(causes[-1]))}); params.yaml: generate.base_url")

    def problem(self, refusal: Refusal) -> InputError:
        """`refusal` as one line that names the server and what to change."""
        return InputError(self.redacted(f"{self.base_url}: {refusal}"))

    def redacted(self, text: str) -> str:
        """`text` without the key."""
        return text.replace(self._key, "[key]") if len(self._key) >= SHORTEST_SECRET else text

    def _final(self, error: openai.APIStatusError) -> Exception:
        refusal = Refusal.from_error(error)
        if refusal.code == OUT_OF_CREDIT or not refusal.is_transient:
            return self.problem(refusal)
        return RequestFailed(self.redacted(str(refusal)))

    def _announced(self, seconds: float) -> float:
        """`seconds`, when they are not too many to wait; a warning says until when."""
        now = datetime.now().astimezone()
        end = now + timedelta(seconds=min(seconds, 1e8))
        if seconds > self._longest_wait:
            raise InputError(
                f"{self.base_url}: the server asks to wait until {end:%Y-%m-%d %H:%M} ({seconds:.0f} seconds), longer "
                "than generate.longest_wait; all answers are saved, a run after that time asks for the rest"
            )
        if now > self._announced_until:  # once for all requests under way
            self._announced_until = end
            self.warn(f"the server asks to wait {seconds:.0f} seconds, until {end:%H:%M:%S}")
        return seconds


async def _no_blind_retry(response) -> None:
    """Keep the library from repeating too soon or in vain: where a long wait is asked for, or the credit is used up."""
    wait = retry_after(response.headers, now=datetime.now(UTC))
    out_of_credit = response.status_code == 429 and OUT_OF_CREDIT.encode() in await response.aread()
    if out_of_credit or (wait is not None and wait > LONG_WAIT):
        response.headers["x-should-retry"] = "false"


def retry_after(headers, *, now: datetime) -> float | None:
    """Seconds that Retry-After asks to wait, given in seconds or as a date; None where it says nothing sensible."""
    value = headers.get("retry-after")
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        try:
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (TypeError, ValueError):
            return None
    return max(0.0, seconds) if seconds == seconds else None  # not-a-number is no wait


def _requested_wait(error: openai.APIStatusError) -> float | None:
    """The long wait that a transient `error` asks for; None where it asks for none."""
    wait = retry_after(error.response.headers, now=datetime.now(UTC))
    transient = Refusal.from_error(error).is_transient
    return wait if wait is not None and wait > LONG_WAIT and transient else None


def _short(text: str) -> str:
    """`text` in one line of at most 300 characters; of a web page only that it is one."""
    if "<html" in text.lower() or "<!doctype" in text.lower():
        return "it answers with a web page"
    return " ".join(text.split())[:300]


def _named(error: BaseException) -> str:
    return _short(f"{type(error).__name__}: {error}")


def _causes(error: BaseException):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
