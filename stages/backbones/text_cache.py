"""Text features cached by the hash of their sentence: a changed list of prompts encodes only its new sentences."""

import hashlib
from collections.abc import Sequence

import numpy as np

from stages.backbones.clip import ClipModel


def text_key(text: str) -> str:
    """SHA-256 of a sentence, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def encode_cached(
    model: ClipModel, texts: Sequence[str], *, cache: dict[str, np.ndarray], batch_size: int
) -> np.ndarray:
    """Features f4 [T, D] of sentences, read from `cache` (key -> feature f4 [D]) or encoded and added to it.

    The cache must be of the same `model.text_fingerprint`; the result is then bitwise the same as without it.
    """
    new = [text for text in dict.fromkeys(texts) if text_key(text) not in cache]
    if new:
        cache.update(zip(map(text_key, new), model.encode_text(new, batch_size=batch_size), strict=True))
    return np.stack([cache[text_key(text)] for text in texts])
