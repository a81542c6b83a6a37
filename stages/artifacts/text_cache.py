"""data/cache/text: text features by the hash of their sentence, kept between runs."""

from pathlib import Path

import numpy as np

from stages.artifacts.checks import expect
from stages.artifacts.parquet import read_parquet, vectors, vectors_of, write_parquet


def write_text_cache(path: Path, cache: dict[str, np.ndarray]) -> None:
    """Write features f4 [D] by key, in the order of the keys."""
    keys = sorted(cache)
    rows = np.stack([cache[key] for key in keys])
    expect(path, "feature", rows, "f4", (len(keys), None))
    write_parquet(path, {"key": keys, "feature": vectors(rows)})


def read_text_cache(path: Path) -> dict[str, np.ndarray]:
    """Read what `write_text_cache` wrote; empty where nothing has."""
    if not path.exists():
        return {}
    table = read_parquet(path, ("key", "feature"))
    return dict(zip(table["key"].to_pylist(), vectors_of(table["feature"]), strict=True))
