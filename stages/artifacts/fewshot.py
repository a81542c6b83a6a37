"""data/fewshot/<dataset>/<backbone>/ and reports/curves/: trained models, epochs and training curves."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from safetensors.numpy import save

from stages.artifacts.files import write_bytes, write_text
from stages.artifacts.parquet import read_parquet, write_parquet

EPOCH_COLUMNS = ("method", "shots", "seed", "epoch", "predicted")


def write_epochs(path: Path, rows: Sequence[tuple[str, int, int, np.ndarray]]) -> None:
    """Write the classes predicted after every epoch: rows of method, shots, seed and classes i2 [epochs, N]."""
    columns = {name: [] for name in EPOCH_COLUMNS}
    for method, shots, seed, watched in rows:
        for epoch, predicted in enumerate(watched):
            for name, value in zip(EPOCH_COLUMNS, (method, shots, seed, epoch, predicted), strict=True):
                columns[name].append(value)
    typed = {"method": pa.string(), "predicted": pa.list_(pa.int16())}
    write_parquet(path, {name: pa.array(values, typed.get(name, pa.int64())) for name, values in columns.items()})


def read_epochs(path: Path) -> list[tuple[str, int, int, np.ndarray]]:
    """Read what `write_epochs` wrote."""
    table = read_parquet(path, EPOCH_COLUMNS)
    runs: dict[tuple[str, int, int], list] = {}
    for method, shots, seed, _, predicted in zip(*(table[name].to_pylist() for name in EPOCH_COLUMNS), strict=True):
        runs.setdefault((method, shots, seed), []).append(predicted)
    return [(*run, np.array(watched, np.int16)) for run, watched in runs.items()]


def write_tensors(path: Path, tensors: dict[str, np.ndarray], settings: dict) -> None:
    """Write arrays by name to safetensors, with `settings` as JSON under the metadata's key of that name."""
    # one key of metadata: safetensors would write several in any order
    write_bytes(path, save(tensors, metadata={"settings": json.dumps(settings, sort_keys=True)}))


def write_curves(path: Path, names: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    """Write numbers as CSV with a line of names; NaN is an empty field."""
    lines = [",".join("" if value != value else f"{value:.6g}" for value in row) for row in rows]
    write_text(path, "\n".join([",".join(names), *lines]) + "\n")
