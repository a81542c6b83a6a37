"""A small token table of the words that captions have, in place of the whole one while the model is trained."""

from functools import lru_cache

import open_clip
import torch

from stages.backbones.weights import TABLE
from stages.bundled.pretraining.captions import FILLER

UNKNOWN = 0  # row of padding and of tokens that no caption has; it stays zero
DEVIATION = 0.02  # of new rows


class Vocabulary:
    """The tokens of some texts: their ids in the whole table, and their rows in the small one."""

    def __init__(self, texts, *, context_length: int):
        tokenizer = open_clip.tokenizer.SimpleTokenizer()
        self._encode = lru_cache(maxsize=200_000)(tokenizer.encode)
        self._start, self._end = tokenizer.sot_token_id, tokenizer.eot_token_id
        self._context_length = context_length
        self._filler = tuple(tokenizer.encode(FILLER))
        words = {token for text in texts for token in self._encode(text)}
        self.ids = [*sorted(words | set(self._filler)), self._start, self._end]
        self._row = {token: row for row, token in enumerate(self.ids, start=1)}

    def silent_rows(self) -> list[int]:
        """Rows that stay zero: of unknown tokens and of the filler."""
        return [UNKNOWN, *(self._row[token] for token in self._filler)]

    def rows(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows i8 [T, L] of the texts' tokens, cut to the context and filled up with UNKNOWN, and their ends [T]."""
        kept = [[self._start, *self._encode(text)[: self._context_length - 2], self._end] for text in texts]
        ends = torch.tensor([len(tokens) - 1 for tokens in kept])
        rows = torch.full((len(texts), int(ends.max()) + 1), UNKNOWN)
        for i, tokens in enumerate(kept):
            rows[i, : len(tokens)] = torch.tensor([self._row.get(token, UNKNOWN) for token in tokens])
        return rows, ends


def use_small_table(model: torch.nn.Module, vocabulary: Vocabulary, *, seed: int) -> None:
    """Put a new small table into `model`, the vocabulary's rows random and the silent ones zero for good."""
    width = model.token_embedding.weight.shape[1]
    rows = torch.randn(len(vocabulary.ids) + 1, width, generator=torch.Generator().manual_seed(seed)) * DEVIATION
    silent = torch.tensor(vocabulary.silent_rows())
    table = torch.nn.Embedding.from_pretrained(rows.index_fill(0, silent, 0.0), freeze=False)
    table.weight.register_hook(lambda gradient: gradient.index_fill(0, silent.to(gradient.device), 0.0))
    model.token_embedding = table


def whole_state(model: torch.nn.Module, vocabulary: Vocabulary) -> dict[str, torch.Tensor]:
    """The state of `model` with the whole token table, zero but in the vocabulary's rows."""
    state = {key: value.cpu() for key, value in model.state_dict().items()}
    table = torch.zeros(model.vocab_size, state[TABLE].shape[1])
    return state | {TABLE: table.index_copy(0, torch.tensor(vocabulary.ids), state[TABLE][1:])}


def encode_text(model: torch.nn.Module, rows: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """open_clip's encode_text [T, D] on rows [T, L] of the small table; no token after the end is read."""
    length = rows.shape[1]
    x = model.token_embedding(rows) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    return x[torch.arange(len(x), device=x.device), ends] @ model.text_projection
