"""data/boxes/<dataset>/<backbone>.parquet: predicted boxes of every evaluated scan."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.artifacts.parquet import read_parquet, write_parquet

BOX_COLUMNS = ("proposals", "scan", "x", "y", "z", "width", "depth", "height", "label", "score")


def write_boxes(path: Path, columns: dict[str, Sequence]) -> None:
    """Write one row per proposals, scan and box, best score first: the columns of BOX_COLUMNS, all of one length."""
    if tuple(columns) != BOX_COLUMNS:
        raise ValueError(f"{path}: columns {tuple(columns)}, expected {BOX_COLUMNS}")
    write_parquet(path, columns)


def read_boxes(path: Path, *, proposals: str, scan: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes f4 [K, 6] predicted in one scan from one kind of proposals, their labels i8 [K] and scores f4 [K]."""
    table = read_parquet(path, BOX_COLUMNS)
    columns = {name: table[name].to_numpy() for name in BOX_COLUMNS}
    rows = (columns["proposals"] == proposals) & (columns["scan"] == scan)
    return np.stack([columns[name][rows] for name in BOX_COLUMNS[2:8]], axis=1), *(
        columns[name][rows] for name in ("label", "score")
    )
