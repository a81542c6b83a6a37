"""Words that a text tower has learnt nothing about: those of a model that was trained on a fixed vocabulary."""

import re
from collections.abc import Callable, Iterable

import torch

WORD = re.compile(r"[^\W_]+")


def unknown_words(
    texts: Iterable[str], *, tokenize: Callable[..., torch.Tensor], table: torch.Tensor | None
) -> tuple[str, ...]:
    """The distinct words in `texts` with a token whose row of the token table [K, D] is zero, in their order.

    Such rows are those that the file of weights left out (`stages.backbones.weights`); a table without any knows every
    word, and so does a text tower whose table is not at hand (None).
    """
    if table is None or bool((known := table.any(dim=1)).all()):
        return ()
    words = list(dict.fromkeys(word for text in texts for word in WORD.findall(text.lower())))
    marks = tokenize([""])[0].unique()  # start, end and padding, which stand in every sentence
    tokens = tokenize(words) if words else torch.empty(0, 1, dtype=torch.long)
    unknown = (~known.cpu()[tokens] & ~torch.isin(tokens, marks)).any(dim=1)
    return tuple(word for word, is_unknown in zip(words, unknown.tolist(), strict=True) if is_unknown)
