"""data/features/<dataset>/<backbone>/prompts.parquet: prompts and their text features."""

from pathlib import Path

import numpy as np

from stages.artifacts.checks import expect, expect_unit_norm
from stages.artifacts.parquet import read_parquet, vectors, vectors_of, write_parquet
from stages.artifacts.types import Prompts

PROMPT_COLUMNS = ("prompt", "class", "class_name", "set", "text", "feature")


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
    write_parquet(path, dict(zip(PROMPT_COLUMNS, columns, strict=True)))


def read_prompts(path: Path) -> Prompts:
    """Read what `write_prompts` wrote."""
    table = read_parquet(path, PROMPT_COLUMNS)
    return Prompts(
        table["class"].to_numpy(),
        tuple(table["class_name"].to_pylist()),
        tuple(table["set"].to_pylist()),
        tuple(table["text"].to_pylist()),
        vectors_of(table["feature"]),
    )
