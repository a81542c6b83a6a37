"""Raw HDF5 files, opened and read with one-line errors."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.types import Clouds
from stages.core.errors import InputError, one_line
from stages.core.precision import in_single
from stages.datasets.reading import CloudsOnDisk, Reading, finite_clouds, joined


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
    return read_rows(path, array_of(path, group, key, width=width), slice(None))


def array_of(path: Path, group: h5py.Group, key: str, *, width: int | None = None) -> h5py.Dataset:
    """The array `key`, unread; InputError when it is absent, no numbers, or its last dimension is not `width`."""
    name = f"{group.name.rstrip('/')}/{key}"
    array = group.get(key)
    if not isinstance(array, h5py.Dataset):
        raise InputError(f"{path}: no key {name}")
    if array.shape is None or not array.shape or array.dtype.kind not in "iuf":
        raise InputError(f"{path}: {name} is {array.dtype}, expected an array of numbers")
    if width is not None and (array.ndim != 3 or array.shape[-1] != width):
        raise InputError(f"{path}: {name} has shape {list(array.shape)}, expected [N, P, {width}]")
    return array


def read_rows(path: Path, array: h5py.Dataset, rows: slice) -> np.ndarray:
    """Some rows of an array; InputError when they are damaged."""
    try:
        return array[rows]
    except (OSError, TypeError) as error:
        raise InputError(f"{path}: {array.name} is damaged ({one_line(error)})") from error


def read_clouds(path: Path, *, classes: int) -> Clouds:
    """All clouds of a shard of the common layout: `data` [N, P, 3] and `label` [N] or [N, 1]."""
    with open_raw(path) as file:
        points = checked_points(path, read_key(path, file, "data", width=3), key="data")
        return Clouds(points, checked_labels(path, read_key(path, file, "label"), samples=len(points), classes=classes))


def shards(files: Sequence[Path], *, classes: int, source: Path) -> CloudsOnDisk:
    """The clouds of shards of the common layout one after the other; InputError when they differ in points a cloud."""
    found = [_shard(path, classes=classes) for path in files]
    counts = {shard.points for shard in found}
    if len(counts) > 1:
        raise InputError(f"{source}: shards differ in points a cloud: {sorted(counts)}")
    starts = np.cumsum([0, *(len(shard.labels) for shard in found)])

    def read(rows: np.ndarray, reading: Reading) -> Clouds:
        inside = [rows[(rows >= start) & (rows < end)] - start for start, end in itertools.pairwise(starts)]
        return joined([shard.read(wanted, reading) for shard, wanted in zip(found, inside, strict=True)])

    return CloudsOnDisk(np.concatenate([shard.labels for shard in found]), source, read, *counts, files=files)


def _shard(path: Path, *, classes: int) -> CloudsOnDisk:
    with open_raw(path) as file:
        samples, points, _ = array_of(path, file, "data", width=3).shape
        labels = checked_labels(path, read_key(path, file, "label"), samples=samples, classes=classes)

    def read(rows: np.ndarray, reading: Reading) -> Clouds:
        if not len(rows):
            return Clouds(np.empty((0, points, 3), np.float32), labels[:0])
        with open_raw(path) as file:
            between = read_rows(path, file["data"], slice(rows[0], rows[-1] + 1))
        return finite_clouds(
            between[rows - rows[0]], labels[rows], reading, names=[f"{path}: data sample {n}" for n in rows]
        )

    return CloudsOnDisk(labels, path, read, points)


def join_clouds(parts: Sequence[Clouds], *, source: Path) -> Clouds:
    """Shards one after the other; InputError that names `source` when their clouds differ in points."""
    counts = {shard.points.shape[1] for shard in parts}
    if len(counts) > 1:
        raise InputError(f"{source}: shards differ in points a cloud: {sorted(counts)}")
    return joined(parts)


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
