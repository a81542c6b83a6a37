"""HDF5 as every artifact uses it: one format number, class names, growing datasets, errors that name the key."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.checks import expect
from stages.artifacts.files import MADE_BY_DVC, complete_file, must_exist
from stages.artifacts.packing import Packed, create_packed, is_packed, pack, read_packed, write_packed
from stages.core.errors import InputError

FORMAT = 2  # 1 was packed by gzip


class _PatientFile(io.FileIO):
    """A file that keeps its first failure to itself until it is closed: HDF5 crashes where it cannot close a file."""

    _failure: OSError | None = None

    def write(self, content) -> int:
        rest = memoryview(content).cast("B")
        while rest and self._failure is None:
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:
                self._failure = error
        return len(content)

    def close(self) -> None:
        super().close()
        if self._failure is not None:
            raise self._failure


@contextmanager
def new_h5(path: Path, *, classes: Sequence[str], **attributes) -> Iterator[h5py.File]:
    with complete_file(path) as temporary, _PatientFile(temporary, "w+") as raw, h5py.File(raw, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["classes"] = json.dumps(list(classes))
        for name, value in attributes.items():
            file.attrs[name] = value if isinstance(value, str) else json.dumps(value)
        yield file


@contextmanager
def open_h5(path: Path) -> Iterator[h5py.File]:
    must_exist(path)
    try:
        file = h5py.File(path)
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error})") from error
    with file:
        if file.attrs.get("format") != FORMAT:
            found = file.attrs.get("format")
            raise InputError(f"{path}: attribute format is {found}, expected {FORMAT}; {MADE_BY_DVC}")
        yield file


def append_rows(group: h5py.Group, key: str, rows: np.ndarray | Packed, *, level: int | None) -> None:
    """Add `rows` to the end of a dataset, which is made where it is missing, packed with `level` as `packing` says.

    Rows that are packed already were so with the same level. Where they are stored as they are, a chunk is one sample
    too, or 1024 numbers.
    """
    if key not in group and level is not None:
        create_packed(group, key, shape=rows.shape[1:], dtype=rows.dtype, level=level)
    elif key not in group:
        chunk = (1, *rows.shape[1:]) if rows.ndim > 1 else (1024,)
        group.create_dataset(key, (0, *rows.shape[1:]), rows.dtype, maxshape=(None, *rows.shape[1:]), chunks=chunk)
    dataset = group[key]
    first = len(dataset)
    dataset.resize(first + rows.shape[0], axis=0)
    if level is None:
        dataset[first:] = rows
    else:
        write_packed(dataset, first, rows if isinstance(rows, Packed) else pack(rows, level=level))


def stored_classes(file: h5py.File) -> tuple[str, ...]:
    return tuple(json.loads(file.attrs["classes"]))


def group_of(path: Path, file: h5py.File, split: str) -> h5py.Group:
    if split not in file:
        raise InputError(f"{path}: no split '{split}'; it has {', '.join(file)}")
    return file[split]


def read_rows(path: Path, group: h5py.Group, key: str, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
    if key not in group:
        raise InputError(f"{path}: no key {group.name}/{key}")
    dataset = group[key]
    try:
        return read_packed(dataset, rows) if is_packed(dataset) else dataset[rows]
    except OSError as error:
        raise InputError(f"{path}: {group.name}/{key} is damaged ({error})") from error


def read_array(path: Path, group: h5py.Group, key: str, dtype: str, shape: tuple | None = None) -> np.ndarray:
    values = read_rows(path, group, key)
    expect(path, f"{group.name}/{key}", values, dtype, shape or values.shape)
    return values
