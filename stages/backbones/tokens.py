"""How much of a sentence a text tower reads: its context length, and the sentences that are longer."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

BATCH = 1024  # sentences tokenized at a time


def context_length(tokenize: Callable[..., torch.Tensor]) -> int:
    """Tokens L that the text tower reads, start and end included."""
    return tokenize([""]).shape[1]


def are_cut(tokenize: Callable[..., torch.Tensor], texts: Sequence[str]) -> np.ndarray:
    """For every sentence whether its end is cut off: bool [T]. With one token more it would be other tokens.

    `tokenize(texts, context_length=L)` gives token ids i8 [T, L], as every tokenizer of open_clip does.
    """
    length = context_length(tokenize)
    padding = tokenize([""], context_length=length + 1)[0, -1]
    cut = np.zeros(len(texts), bool)
    for start in range(0, len(texts), BATCH):
        longer = tokenize(list(texts[start : start + BATCH]), context_length=length + 1)
        full = torch.nonzero(longer[:, length - 1] != padding).flatten()  # the others are shorter
        if len(full):
            shorter = tokenize([texts[start + row] for row in full], context_length=length)
            differs = (longer[full, :length] != shorter).any(dim=1) | (longer[full, length] != padding)
            cut[start + full.numpy()] = differs.numpy()
    return cut
