"""How much a run may ask: requests under way, requests and tokens in all."""

from collections.abc import Iterable
from dataclasses import dataclass

from stages.language.llm.cost import most_tokens
from stages.language.llm.requests import Request


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Requests under way at a time, what a run may send and use in all (None is no limit), and how often it asks again.

    A blank, refused or cut answer is asked for again `reasks` times, with up to `longest_answer` tokens.
    """

    concurrency: int
    requests: int | None = None
    tokens: int | None = None
    reasks: int = 0
    longest_answer: int = 0


class Budget:
    """What a run has sent, used and may still use; a request under way counts with the most that it can use."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self.sent, self.used, self._reserved = 0, 0, 0
        self.exhausted = False

    def reserve(self, tokens: int) -> bool:
        """Whether one more request of at most `tokens` fits; if so it is counted in."""
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


def within(requests: Iterable[tuple[Request, int]], limits: Limits) -> list[tuple[Request, int]]:
    """The first of `requests`, each with its token limit, that fit into the budget all together."""
    budget = Budget(limits)
    fitting = []
    for request, token_limit in requests:
        if not budget.reserve(most_tokens(request, token_limit=token_limit)):
            break
        fitting.append((request, token_limit))
    return fitting
