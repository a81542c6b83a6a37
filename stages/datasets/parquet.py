"""Reader of clouds in Parquet: one file, or a folder of them, with the columns `points` and `label`, maybe `split`."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.artifacts.types import Clouds, PointCloudDataset
from stages.config.dataset import Dataset
from stages.core.errors import InputError, one_line
from stages.datasets.layout import files_below
from stages.datasets.reading import CloudsOnDisk, Reading, finite_clouds, joined

SPLITS = ("train", "val", "test")


def read(path: Path, entry: Dataset) -> PointCloudDataset:
    """Rows of `points`, a list of x, y, z, x, y, ..., `label`, a class's name, and `split`; without one all are test.

    Files of a folder come by name; class names are sorted. One row group is in memory at a time.
    """
    files = [path] if path.is_file() else files_below(path, ".parquet") if path.is_dir() else []
    if not files:
        raise InputError(f"{path}: no .parquet file there")
    groups, names, splits, places = [], [], [], []
    for file in files:
        for group in range(_opened(file).num_row_groups):
            found = _column(file, group, "label").to_pylist()
            has_splits = "split" in _opened(file).schema_arrow.names
            splits += _column(file, group, "split").to_pylist() if has_splits else ["test"] * len(found)
            names += found
            places += [(len(groups), row) for row in range(len(found))]
            groups.append((file, group))
    if not names:
        raise InputError(f"{path}: no row, expected a cloud a row")
    for place, name, split in zip(places, names, splits, strict=True):
        if not isinstance(name, str) or split not in SPLITS:
            file, group = groups[place[0]]
            found = f"row {place[1]} of group {group} has label {name} and split {split}"
            raise InputError(f"{file}: {found}, expected a class's name and one of {', '.join(SPLITS)}")
    classes = tuple(sorted(set(names)))
    index = {name: number for number, name in enumerate(classes)}
    labels, places, splits = np.array([index[name] for name in names], np.int64), np.array(places), np.array(splits)

    @lru_cache(maxsize=1)
    def points_of(group: int) -> pa.Array:
        return _column(*groups[group], "points").combine_chunks()

    def read_rows(rows: np.ndarray, reading: Reading) -> Clouds:
        found = []
        for group in np.unique(places[rows, 0]):
            wanted = rows[places[rows, 0] == group]
            file = groups[group][0]
            lists = points_of(group).take(pa.array(places[wanted, 1]))
            values = _coordinates(lists, source=file)
            place = [f"{file}: row {row} of group {groups[group][1]}" for row in places[wanted, 1]]
            found.append(finite_clouds(values, labels[wanted], reading, names=place))
        return joined(found)

    everything = CloudsOnDisk(labels, path, read_rows, files=files)
    return PointCloudDataset(
        classes,
        entry.up_axis,
        {split: everything.rows(np.flatnonzero(splits == split)) for split in SPLITS if (splits == split).any()},
    )


def _coordinates(lists: pa.Array, *, source: Path) -> np.ndarray:
    """Numbers [n, P, 3] of lists of one length."""
    lengths = lists.value_lengths()
    first = lengths[0].as_py() if len(lengths) else 0
    if lists.null_count or not first or first % 3 or len(lengths.unique()) > 1:
        raise InputError(f"{source}: points: expected lists of one length, three numbers a point")
    return lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), -1, 3)


def _opened(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{file}: not a readable Parquet file ({one_line(error)})") from error


def _column(file: Path, group: int, name: str) -> pa.ChunkedArray:
    opened = _opened(file)
    kinds = {field.name: field.type for field in opened.schema_arrow}
    if name not in kinds:
        raise InputError(f"{file}: no column {name}; it has {', '.join(kinds)}")
    if name == "points" and not (pa.types.is_list(kinds[name]) and pa.types.is_floating(kinds[name].value_type)):
        raise InputError(f"{file}: column points is {kinds[name]}, expected lists of floating-point numbers")
    try:
        return opened.read_row_group(group, columns=[name]).column(name)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{file}: {name} is damaged ({one_line(error)})") from error
