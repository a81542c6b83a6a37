"""data/predictions/<dataset>/<backbone>.parquet: ranked classes of every evaluated sample."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.artifacts.parquet import new_parquet, read_parquet
from stages.core.blocks import blocks
from stages.core.errors import InputError

SCHEMA = pa.schema(
    {
        "sample": pa.int64(),
        "label": pa.int64(),
        "method": pa.string(),
        "shots": pa.int64(),
        "seed": pa.int64(),
        "rank": pa.int64(),
        "predicted": pa.int64(),
        "score": pa.float32(),
    }
)
PREDICTION_COLUMNS = tuple(SCHEMA.names)
BLOCK = 2**18  # samples that are written at a time


@contextmanager
def new_predictions(path: Path) -> Iterator[Callable]:
    """What adds one method's predictions below the others: labels i8 [N], classes i8 [N, ranks] best first, scores f4.

    One row per sample, method and rank; the file has its name once the block succeeds.
    """
    with new_parquet(path, SCHEMA) as writer:

        def add(
            labels: np.ndarray, ranked: np.ndarray, scores: np.ndarray, *, method: str, shots: int = 0, seed: int = 0
        ) -> None:
            samples, ranks = ranked.shape
            for some in blocks(samples, block=BLOCK):
                numbers = np.arange(samples)[some]
                count = len(numbers) * ranks
                columns = {
                    "sample": np.repeat(numbers, ranks),
                    "label": np.repeat(labels[some], ranks),
                    "method": pa.repeat(method, count),
                    "shots": np.full(count, shots),
                    "seed": np.full(count, seed),
                    "rank": np.tile(np.arange(ranks), len(numbers)),
                    "predicted": ranked[some].ravel(),
                    "score": scores[some].ravel(),
                }
                writer.write_table(pa.table(columns, schema=SCHEMA))

        yield add


def read_predictions(path: Path) -> dict[str, np.ndarray]:
    """Read what `new_predictions` wrote, as columns."""
    table = read_parquet(path, PREDICTION_COLUMNS)
    return {name: table[name].to_numpy() for name in PREDICTION_COLUMNS}


def read_hits(path: Path) -> dict[str, np.ndarray]:
    """Whether the best class of every sample is the right one, bool [N], by method, of zero-shot predictions."""
    best = read_parquet(path, PREDICTION_COLUMNS, only=("label", "method", "predicted"), where=("rank", 0))
    right = pc.equal(best["predicted"], best["label"])
    return {
        method: right.filter(pc.equal(best["method"], method)).to_numpy()
        for method in sorted(best["method"].unique().to_pylist())
    }


def read_ranked(path: Path, *, method: str) -> tuple[np.ndarray, np.ndarray]:
    """One method's classes by rank i8 [N, ranks] and their scores f4 [N, ranks]; InputError when it is not there."""
    table = read_parquet(path, PREDICTION_COLUMNS, only=("rank", "predicted", "score"), where=("method", method))
    if not len(table):
        known = read_parquet(path, PREDICTION_COLUMNS, only=("method",))["method"].unique().to_pylist()
        raise InputError(f"{path}: no method '{method}'; it has {', '.join(sorted(known))}")
    shape = (-1, pc.max(table["rank"]).as_py() + 1)
    return table["predicted"].to_numpy().reshape(shape), table["score"].to_numpy().reshape(shape)
