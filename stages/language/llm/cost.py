"""What requests take, before and after they are asked: tokens by rule of thumb, dollars by the price table."""

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
    counts = [(prompt_tokens(request), request.sentences * TOKENS_A_SENTENCE) for request in requests]
    return Tokens(len(counts), sum(sent for sent, _ in counts), sum(received for _, received in counts))


def most_tokens(request: Request, *, token_limit: int) -> int:
    """The most tokens that `request` can use, both ways; what is sent is counted double, since it is an estimate."""
    return 2 * prompt_tokens(request) + token_limit


def price_table(tokens: Tokens, prices: dict[str, Price], *, at_most: int) -> str:
    """Requests, tokens and the cost with every model of the price table, one a line.

    `at_most` tokens are received where every answer is cut off and asked for again.
    """
    lines = [
        f"{tokens.requests} requests are missing: about {tokens.prompt} tokens sent, {tokens.completion} received, "
        f"{at_most} if every answer were cut off and asked for again up to its highest limit",
        *(f"  {model}: {tokens.cost(price):.2f} dollars" for model, price in prices.items()),
    ]
    return "\n".join(lines)


def prompt_tokens(request: Request) -> int:
    """Tokens that sending `request` takes, roughly."""
    return OVERHEAD + sum(_content_tokens(message["content"]) for message in request.body["messages"])


def text_tokens(text: str) -> int:
    """Tokens of `text`, roughly."""
    return -(-len(text) // LETTERS_A_TOKEN)


def _content_tokens(content: str | list[dict]) -> int:
    if isinstance(content, str):
        return text_tokens(content)
    return sum(_content_tokens(part["text"]) if part["type"] == "text" else TOKENS_A_PICTURE for part in content)
