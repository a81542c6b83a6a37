"""Raw HDF5 files, opened and read with one-line errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from stages.errors import InputError


@contextmanager
def open_raw(path: Path) -> Iterator[h5py.File]:
    """Open a raw file for reading; InputError when it is missing or damaged."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        file = h5py.File(path)
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error})") from None
    with file:
        yield file


def read_key(path: Path, group: h5py.Group, key: str, *, width: int | None = None) -> np.ndarray:
    """Values of `key`; InputError when it is absent, damaged, or its last dimension is not `width`."""
    name = f"{group.name.rstrip('/')}/{key}"
    if not isinstance(group.get(key), h5py.Dataset):
        raise InputError(f"{path}: no key {name}")
    try:
        values = group[key][()]
    except OSError as error:
        raise InputError(f"{path}: {name} is damaged ({error})") from None
    if width is not None and (values.ndim != 3 or values.shape[-1] != width):
        raise InputError(f"{path}: {name} has shape {list(values.shape)}, expected [N, P, {width}]")
    return values


def checked_labels(path: Path, labels: np.ndarray, *, samples: int, classes: int) -> np.ndarray:
    """Labels as i8 [N]; InputError unless there is one in 0..classes-1 for every sample."""
    labels = labels.reshape(-1).astype(np.int64)
    if len(labels) != samples:
        raise InputError(f"{path}: label has {len(labels)} rows, data has {samples}")
    if samples and not (labels.min() >= 0 and labels.max() < classes):
        raise InputError(f"{path}: label from {labels.min()} to {labels.max()}, expected 0 to {classes - 1}")
    return labels


def checked_points(path: Path, points: np.ndarray, *, key: str) -> np.ndarray:
    """Points as f4 [N, P, 3]; InputError that names the first sample with a value that is not finite."""
    points = np.ascontiguousarray(points, dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(points).all(axis=(1, 2)))
    if len(bad):
        raise InputError(f"{path}: {key} sample {bad[0]} has values that are not finite")
    return points
