"""Raw HDF5 files, opened and read with one-line errors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.types import Clouds
from stages.core.errors import InputError, one_line
from stages.core.precision import in_single


@contextmanager
def open_raw(path: Path) -> Iterator[h5py.File]:
    """Open a raw file for reading; InputError when it is missing or damaged."""
    if not path.is_file():
        raise InputError(f"{path}: {'a folder, expected a file' if path.is_dir() else 'no such file'}")
    try:
        file = h5py.File(path)
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 file ({one_line(error)})") from error
    with file:
        yield file


def read_key(path: Path, group: h5py.Group, key: str, *, width: int | None = None) -> np.ndarray:
    """Values of `key`; InputError when it is absent, damaged, no numbers, or its last dimension is not `width`."""
    name = f"{group.name.rstrip('/')}/{key}"
    if not isinstance(group.get(key), h5py.Dataset):
        raise InputError(f"{path}: no key {name}")
    try:
        values = group[key][()]
    except (OSError, TypeError) as error:
        raise InputError(f"{path}: {name} is damaged ({one_line(error)})") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        raise InputError(f"{path}: {name} is {group[key].dtype}, expected an array of numbers")
    if width is not None and (values.ndim != 3 or values.shape[-1] != width):
        raise InputError(f"{path}: {name} has shape {list(values.shape)}, expected [N, P, {width}]")
    return values


def read_clouds(path: Path, *, classes: int) -> Clouds:
    """All clouds of a shard of the common layout: `data` [N, P, 3] and `label` [N] or [N, 1]."""
    with open_raw(path) as file:
        points = checked_points(path, read_key(path, file, "data", width=3), key="data")
        return Clouds(points, checked_labels(path, read_key(path, file, "label"), samples=len(points), classes=classes))


def join_clouds(shards: Sequence[Clouds], *, source: Path) -> Clouds:
    """Shards one after the other; InputError that names `source` when their clouds differ in points."""
    counts = {shard.points.shape[1] for shard in shards}
    if len(counts) > 1:
        raise InputError(f"{source}: shards differ in points a cloud: {sorted(counts)}")
    parts = None if shards[0].parts is None else np.concatenate([shard.parts for shard in shards])
    points, labels = (np.concatenate([getattr(shard, key) for shard in shards]) for key in ("points", "labels"))
    return Clouds(points, labels, parts)


def checked_labels(path: Path, labels: np.ndarray, *, samples: int, classes: int) -> np.ndarray:
    """Labels as i8 [N]; InputError unless there is one whole number in 0..classes-1 for every sample."""
    with np.errstate(invalid="ignore"):  # a NaN becomes some number, which then differs
        whole = labels.reshape(-1).astype(np.int64)
    if not np.array_equal(whole, labels.reshape(-1)):
        raise InputError(f"{path}: label is {labels.dtype} with values that are not whole numbers")
    if len(whole) != samples:
        raise InputError(f"{path}: label has {len(whole)} rows, data has {samples}")
    if samples and not (whole.min() >= 0 and whole.max() < classes):
        raise InputError(f"{path}: label from {whole.min()} to {whole.max()}, expected 0 to {classes - 1}")
    return whole


def checked_points(path: Path, points: np.ndarray, *, key: str) -> np.ndarray:
    """Points as f4 [N, P, 3]; InputError that names the first sample with a value that is not finite."""
    points = np.ascontiguousarray(points if points.dtype == np.float32 else in_single(points))
    bad = np.flatnonzero(~np.isfinite(points).all(axis=(1, 2)))
    if len(bad):
        raise InputError(f"{path}: {key} sample {bad[0]} has values that are not finite")
    return points
