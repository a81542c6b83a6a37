"""The parameters that a server takes: what it refuses is left out, renamed or lowered, said once and remembered."""

import re
from collections.abc import Callable

from stages.language.llm.answers import TOKEN_LIMITS
from stages.language.llm.requests import Request
from stages.language.llm.server import Refusal

OPTIONAL = ("reasoning_effort", "temperature", "stream_options", "n")
SMALLEST_LIMIT = 64  # tokens; a server that refuses even this refuses something else
TOO_LARGE = re.compile(r"too (?:large|high|big|long)|at most|exceed|maximum|greater than|less than or equal", re.I)
CONTEXT = re.compile(r"context (?:length|window|size)", re.I)


class Parameters:
    """Request bodies as this server takes them; `warn` gets one line for every change."""

    def __init__(self, *, warn: Callable[[str], None], stream: bool = False):
        self._warn = warn
        self._left_out: set[str] = set()
        self._renamed = False
        self._highest_limit: int | None = None
        self._lowered_for: str | None = None
        self._lowest_limit = 0
        self._stream = stream

    def body(self, request: Request, token_limit: int) -> dict:
        """What to send for `request`, with a token limit that may be higher than the planned one."""
        planned = next(name for name in TOKEN_LIMITS if name in request.body)
        other = TOKEN_LIMITS[1 - TOKEN_LIMITS.index(planned)]
        limit = max(token_limit, self._lowest_limit)
        limit = limit if self._highest_limit is None else min(limit, self._highest_limit)
        body = {key: value for key, value in request.body.items() if key != planned}
        body[other if self._renamed else planned] = limit
        if self._stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return {key: value for key, value in body.items() if key not in self._left_out}

    def learn(self, refusal: Refusal, sent: dict) -> bool:
        """Whether another body will be sent next time, since `refusal` names a parameter of the one that was `sent`."""
        if refusal.status not in (400, 422):
            return False
        name = _named(refusal, [key for key in (*OPTIONAL, *TOKEN_LIMITS) if key in sent])
        if name in OPTIONAL:
            self._left_out.add(name)
            self._warn(f"the server does not take '{name}'; it is left out from now on")
            return True
        limit = next(key for key in TOKEN_LIMITS if key in sent)
        if CONTEXT.search(refusal.message) or (name == limit and TOO_LARGE.search(refusal.message)):
            return self._lower(sent[limit], refusal.message)
        return name == limit and self._rename(limit)

    def check_limit(self, sent: dict, completion_tokens: int) -> None:
        """Use the older name of the token limit with a server that answers at greater length than the newer allows."""
        newer = TOKEN_LIMITS[0]
        if newer in sent and completion_tokens > 1.1 * sent[newer] + 16:
            self._rename(newer)

    def raise_lowest(self, token_limit: int) -> None:
        """Ask for everything with at least this token limit: the model reasons before it answers."""
        if token_limit > self._lowest_limit:
            self._lowest_limit = token_limit
            self._warn(f"the model needs more tokens before it answers; the token limit is {token_limit} from now on")

    def stream(self) -> None:
        """Have answers sent piece by piece from now on."""
        if not self._stream:
            self._stream = True
            self._warn("the server did not answer in time; answers are asked for piece by piece (stream) from now on")

    def _rename(self, name: str) -> bool:
        if self._renamed:
            return False
        self._renamed = True
        other = TOKEN_LIMITS[1 - TOKEN_LIMITS.index(name)]
        self._warn(f"the server does not take '{name}'; '{other}' is sent instead from now on")
        return True

    def _lower(self, limit: int, message: str) -> bool:
        lower = limit // 2
        if lower < SMALLEST_LIMIT or message == self._lowered_for:  # what is asked is itself too long
            return False
        self._lowered_for = message
        self._highest_limit = lower
        self._warn(f"the server does not take a token limit of {limit}; {lower} is the highest from now on")
        return True


def _named(refusal: Refusal, names: list[str]) -> str | None:
    """The one of `names` that `refusal` is about: its `param`, else a name in its message ("n" only in quotes)."""
    if refusal.param in names:
        return refusal.param
    for name in names:
        word = rf"['\"`]{name}['\"`]" if len(name) == 1 else rf"\b{name}\b"
        if re.search(word, refusal.message):
            return name
    return None
