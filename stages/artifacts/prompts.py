"""data/features/<dataset>/<backbone>/prompts.parquet: prompts and their text features.

Its metadata has `unknown_words` as JSON, where the backbone does not know all words of the classes' names, and
`view_weights`, where some were published with a set's sentences.
"""

from pathlib import Path

import numpy as np

from stages.artifacts.checks import expect, expect_unit_norm
from stages.artifacts.parquet import json_metadata, read_parquet, vectors, vectors_of, with_json, write_parquet
from stages.artifacts.types import Prompts

PROMPT_COLUMNS = ("prompt", "class", "class_name", "set", "text", "feature")
UNKNOWN_WORDS, VIEW_WEIGHTS = "unknown_words", "view_weights"


def write_prompts(path: Path, prompts: Prompts) -> None:
    """Write prompts and their features to Parquet."""
    expect(path, "feature", prompts.features, "f4", (len(prompts.texts), None))
    expect_unit_norm(path, "feature", prompts.features)
    columns = (
        np.arange(len(prompts.texts)),
        prompts.classes,
        list(prompts.class_names),
        list(prompts.sets),
        list(prompts.texts),
        vectors(prompts.features),
    )
    metadata = with_json({UNKNOWN_WORDS: prompts.unknown_words, VIEW_WEIGHTS: prompts.view_weights})
    write_parquet(path, dict(zip(PROMPT_COLUMNS, columns, strict=True)), metadata=metadata)


def read_prompts(path: Path) -> Prompts:
    """Read what `write_prompts` wrote."""
    table = read_parquet(path, PROMPT_COLUMNS)
    return Prompts(
        table["class"].to_numpy(),
        tuple(table["class_name"].to_pylist()),
        tuple(table["set"].to_pylist()),
        tuple(table["text"].to_pylist()),
        vectors_of(table["feature"]),
        tuple(json_metadata(table, UNKNOWN_WORDS, ())),
        json_metadata(table, VIEW_WEIGHTS, {}),
    )
