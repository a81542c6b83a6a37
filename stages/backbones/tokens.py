"""How long a sentence is in CLIP's tokens."""

from functools import cache

from open_clip.tokenizer import SimpleTokenizer


def count_tokens(text: str) -> int:
    """CLIP's tokens of `text`, start and end included."""
    return len(_tokenizer().encode(text)) + 2


@cache
def _tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer()
