"""Length of a sentence in CLIP's tokens."""

from functools import cache

from open_clip.tokenizer import SimpleTokenizer


def count_tokens(text: str) -> int:
    """Number of CLIP's tokens of `text`, with those of start and end."""
    return len(_tokenizer().encode(text)) + 2


@cache
def _tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer()
