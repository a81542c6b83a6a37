"""data/sentences/<dataset>.parquet: the sentences of a language model by prompt set."""

from pathlib import Path

from stages.artifacts.parquet import read_parquet, write_parquet
from stages.artifacts.types import SentenceTable

SENTENCE_COLUMNS = ("set", "class", "class_name", "part", "text")


def write_sentences(path: Path, wording: SentenceTable) -> None:
    """Write `wording` to Parquet."""
    columns = (list(wording.sets), wording.classes, list(wording.class_names), list(wording.parts), list(wording.texts))
    write_parquet(path, dict(zip(SENTENCE_COLUMNS, columns, strict=True)))


def read_sentences(path: Path) -> SentenceTable:
    """Read what `write_sentences` wrote."""
    table = read_parquet(path, SENTENCE_COLUMNS)
    texts = {name: tuple(table[name].to_pylist()) for name in ("set", "class_name", "part", "text")}
    return SentenceTable(texts["set"], table["class"].to_numpy(), texts["class_name"], texts["part"], texts["text"])
