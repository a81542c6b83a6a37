"""data/sentences/<dataset>.parquet: the sentences of a language model by prompt set.

Its metadata has `view_weights` as JSON, where some were published with a set's sentences.
"""

from pathlib import Path

from stages.artifacts.parquet import json_metadata, read_parquet, with_json, write_parquet
from stages.artifacts.types import SentenceTable

SENTENCE_COLUMNS = ("set", "class", "class_name", "part", "text")
VIEW_WEIGHTS = "view_weights"


def write_sentences(path: Path, wording: SentenceTable) -> None:
    """Write `wording` to Parquet."""
    columns = (list(wording.sets), wording.classes, list(wording.class_names), list(wording.parts), list(wording.texts))
    metadata = with_json({VIEW_WEIGHTS: wording.view_weights})
    write_parquet(path, dict(zip(SENTENCE_COLUMNS, columns, strict=True)), metadata=metadata)


def read_sentences(path: Path) -> SentenceTable:
    """Read what `write_sentences` wrote."""
    table = read_parquet(path, SENTENCE_COLUMNS)
    texts = {name: tuple(table[name].to_pylist()) for name in ("set", "class_name", "part", "text")}
    return SentenceTable(
        texts["set"],
        table["class"].to_numpy(),
        texts["class_name"],
        texts["part"],
        texts["text"],
        json_metadata(table, VIEW_WEIGHTS, {}),
    )
