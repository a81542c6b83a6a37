"""data/fewshot/<dataset>/<backbone>/ and reports/curves/: models, predictions by epoch, adapted features, curves.

texts.json holds the prompts and view weights that the runs start from, adapted/ the features that trained models give.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from stages.artifacts.checks import expect
from stages.artifacts.files import write_bytes, write_text
from stages.artifacts.parquet import read_parquet, write_parquet
from stages.core.errors import InputError, one_line

EPOCH_COLUMNS = ("method", "shots", "seed", "epoch", "predicted")


def write_epochs(path: Path, rows: Sequence[tuple[str, int, int, np.ndarray]]) -> None:
    """Write the classes predicted after every epoch: rows of method, shots, seed and classes i2 [epochs, N]."""
    columns = {name: [] for name in EPOCH_COLUMNS}
    for method, shots, seed, predictions in rows:
        for epoch, predicted in enumerate(predictions):
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
    return [(*run, np.array(predictions, np.int16)) for run, predictions in runs.items()]


def write_tensors(path: Path, tensors: dict[str, np.ndarray], settings: dict) -> None:
    """Write arrays by name as safetensors; the metadata's key `settings` holds `settings` as JSON."""
    # a single key, because safetensors writes several in no fixed order
    write_bytes(path, save(tensors, metadata={"settings": json.dumps(settings, sort_keys=True)}))


def write_curves(path: Path, names: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    """Write rows of numbers as CSV below a header of `names`; NaN is an empty field."""
    lines = [",".join("" if value != value else f"{value:.6g}" for value in row) for row in rows]
    write_text(path, "\n".join([",".join(names), *lines]) + "\n")


def write_adapted(path: Path, run: dict, features: dict[str, np.ndarray]) -> None:
    """Write what one run's model gives: features f4 [M, D] to the test split, and [S, D] to its validation set.

    `features` has them by name, with the validation labels i8 [S]; `run` says which run it is.
    """
    write_tensors(path, features, run)


def read_adapted(folder: Path) -> list[tuple[dict, dict[str, np.ndarray]]]:
    """What `write_adapted` wrote of all runs, in the order of their files."""
    return [_read_adapted(path) for path in sorted((folder / "adapted").glob("*.safetensors"))]


def _read_adapted(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    try:
        with safe_open(path, framework="numpy") as file:
            features = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            run = json.loads(file.metadata()["settings"])
    except SafetensorError as error:
        raise InputError(f"{path}: no safetensors file ({one_line(error)}); run `dvc repro` to make it") from error
    for name, values in features.items():
        expect(path, name, values, *(("i8", (None,)) if name.endswith("labels") else ("f4", (None, None))))
    return run, features
