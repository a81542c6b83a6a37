"""data/predictions/<dataset>/<backbone>.parquet: ranked classes of every evaluated sample."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.artifacts.parquet import read_parquet, write_parquet
from stages.core.errors import InputError

PREDICTION_COLUMNS = ("sample", "label", "method", "shots", "seed", "rank", "predicted", "score")


def prediction_columns(
    labels: np.ndarray, ranked: np.ndarray, scores: np.ndarray, *, method: str, shots: int, seed: int
) -> dict[str, np.ndarray]:
    """The columns of one method's predictions: labels i8 [N], classes i8 [N, ranks] best first, and their scores f4."""
    samples, ranks = ranked.shape
    return {
        "sample": np.repeat(np.arange(samples), ranks),
        "label": np.repeat(labels, ranks),
        "method": np.full(samples * ranks, method),
        "shots": np.full(samples * ranks, shots),
        "seed": np.full(samples * ranks, seed),
        "rank": np.tile(np.arange(ranks), samples),
        "predicted": ranked.ravel(),
        "score": scores.ravel(),
    }


def stacked(tables: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Tables of the same columns, one below the other."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def write_predictions(path: Path, columns: dict[str, Sequence]) -> None:
    """Write one row per sample, method and rank: the columns of PREDICTION_COLUMNS, all of one length."""
    if tuple(columns) != PREDICTION_COLUMNS:
        raise ValueError(f"{path}: columns {tuple(columns)}, expected {PREDICTION_COLUMNS}")
    write_parquet(path, columns)


def read_predictions(path: Path) -> dict[str, np.ndarray]:
    """Read what `write_predictions` wrote, as columns."""
    table = read_parquet(path, PREDICTION_COLUMNS)
    return {name: table[name].to_numpy() for name in PREDICTION_COLUMNS}


def read_hits(path: Path) -> dict[str, np.ndarray]:
    """Whether the best class of every sample is the right one, bool [N], by method, of zero-shot predictions."""
    columns = read_predictions(path)
    best, right = columns["rank"] == 0, columns["predicted"] == columns["label"]
    return {method: right[best & (columns["method"] == method)] for method in np.unique(columns["method"])}


def read_ranked(path: Path, *, method: str) -> tuple[np.ndarray, np.ndarray]:
    """One method's classes by rank i8 [N, ranks] and their scores f4 [N, ranks]; InputError when it is not there."""
    columns = read_predictions(path)
    rows = columns["method"] == method
    if not rows.any():
        raise InputError(f"{path}: no method '{method}'; it has {', '.join(sorted(set(columns['method'])))}")
    shape = (-1, int(columns["rank"].max()) + 1)
    return columns["predicted"][rows].reshape(shape), columns["score"][rows].reshape(shape)
