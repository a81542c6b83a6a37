"""What requests will take, before they are asked: tokens by rule of thumb, dollars by the price table."""

from collections.abc import Iterable
from typing import NamedTuple

from stages.config.generate import Price
from stages.language.llm.requests import Request

LETTERS_A_TOKEN = 4
TOKENS_A_SENTENCE = 24
TOKENS_A_PICTURE = 300
OVERHEAD = 8  # tokens of a message beside its text


class Tokens(NamedTuple):
    """Requests, and tokens sent and received."""

    requests: int
    prompt: int
    completion: int

    def cost(self, price: Price) -> float:
        """Dollars."""
        return (self.prompt * price.prompt + self.completion * price.completion) / 1e6


def estimate(requests: Iterable[Request]) -> Tokens:
    """What `requests` will take, roughly."""
    counts = [(_prompt_tokens(request), request.sentences * TOKENS_A_SENTENCE) for request in requests]
    return Tokens(len(counts), sum(sent for sent, _ in counts), sum(received for _, received in counts))


def longest(request: Request) -> int:
    """The most tokens that `request` can use, both ways; what is sent is reckoned double."""
    return 2 * _prompt_tokens(request) + request.max_tokens


def price_table(tokens: Tokens, prices: dict[str, Price]) -> str:
    """Requests, tokens and the cost with every model of the price table, one a line."""
    lines = [
        f"{tokens.requests} requests are missing: about {tokens.prompt} tokens sent, {tokens.completion} received",
        *(f"  {model}: {tokens.cost(price):.2f} dollars" for model, price in prices.items()),
    ]
    return "\n".join(lines)


def _prompt_tokens(request: Request) -> int:
    return OVERHEAD + sum(_content_tokens(message["content"]) for message in request.body["messages"])


def _content_tokens(content: str | list[dict]) -> int:
    if isinstance(content, str):
        return -(-len(content) // LETTERS_A_TOKEN)
    return sum(_content_tokens(part["text"]) if part["type"] == "text" else TOKENS_A_PICTURE for part in content)
