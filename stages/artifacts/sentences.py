"""data/sentences/<dataset>.parquet: the sentences of a language model by prompt set."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from stages.artifacts.parquet import read_parquet, write_parquet

SENTENCE_COLUMNS = ("set", "class", "class_name", "part", "text")


@dataclass(frozen=True)
class SentenceTable:
    """Sentences [T] of all prompt sets: class index i8 and name, part ("" for the whole object), set and text."""

    sets: tuple[str, ...]
    classes: np.ndarray
    class_names: tuple[str, ...]
    parts: tuple[str, ...]
    texts: tuple[str, ...]

    def of(self, prompt_set: str, class_name: str, *, part: str = "") -> list[str]:
        """The sentences of one set about one class, or one part of it."""
        return self._texts.get((prompt_set, class_name, part), [])

    @cached_property
    def _texts(self) -> dict[tuple[str, str, str], list[str]]:
        texts = {}
        for *subject, text in zip(self.sets, self.class_names, self.parts, self.texts, strict=True):
            texts.setdefault(tuple(subject), []).append(text)
        return texts


def write_sentences(path: Path, wording: SentenceTable) -> None:
    """Write `wording` to Parquet."""
    columns = (list(wording.sets), wording.classes, list(wording.class_names), list(wording.parts), list(wording.texts))
    write_parquet(path, dict(zip(SENTENCE_COLUMNS, columns, strict=True)))


def read_sentences(path: Path) -> SentenceTable:
    """Read what `write_sentences` wrote."""
    table = read_parquet(path, SENTENCE_COLUMNS)
    texts = {name: tuple(table[name].to_pylist()) for name in ("set", "class_name", "part", "text")}
    return SentenceTable(texts["set"], table["class"].to_numpy(), texts["class_name"], texts["part"], texts["text"])
