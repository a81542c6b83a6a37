"""Reader of ModelNet's official HDF5 layout: list files that name shards, and shape_names.txt.

`train_files.txt` and `test_files.txt` hold one shard a line, by the path it had at its makers'; only the file's name is
used. A shard has `data` f4 [N, P, 3] and `label` u1 [N, 1].
"""

from pathlib import Path

import numpy as np

from stages.artifacts import Clouds
from stages.datasets.hdf5 import checked_labels, checked_points, open_raw, read_key
from stages.errors import InputError


def read(path: Path) -> tuple[tuple[str, ...], dict[str, Clouds]]:
    """Class names [C] and per split all shards' clouds, in the order of the list file and of the rows in each shard."""
    classes = tuple(_lines(path / "shape_names.txt"))
    return classes, {split: _read_split(path, split, len(classes)) for split in ("train", "test")}


def _read_split(path: Path, split: str, classes: int) -> Clouds:
    shards = [_read_shard(path / Path(line).name, classes) for line in _lines(path / f"{split}_files.txt")]
    sizes = {shard.points.shape[1] for shard in shards}
    if len(sizes) > 1:
        raise InputError(f"{path / f'{split}_files.txt'}: shards differ in points a cloud: {sorted(sizes)}")
    return Clouds(
        np.concatenate([shard.points for shard in shards]), np.concatenate([shard.labels for shard in shards])
    )


def _read_shard(path: Path, classes: int) -> Clouds:
    with open_raw(path) as file:
        points = checked_points(path, read_key(path, file, "data", width=3), key="data")
        return Clouds(points, checked_labels(path, read_key(path, file, "label"), samples=len(points), classes=classes))


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; the official ModelNet HDF5 folder has it")
    lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{path}: empty, expected one name a line")
    return lines
