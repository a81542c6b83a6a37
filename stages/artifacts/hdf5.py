"""HDF5 as every artifact uses it: one format number, class names, growing datasets, errors that name the key."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.checks import expect
from stages.artifacts.files import complete_file, must_exist
from stages.core.errors import InputError

FORMAT = 1


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
            raise InputError(f"{path}: attribute format is {file.attrs.get('format')}, expected {FORMAT}")
        yield file


def append_rows(group: h5py.Group, key: str, rows: np.ndarray, *, compress: bool = False) -> None:
    """Add `rows` to the end of a dataset, which is made where it is missing: one sample a chunk, or 1024 numbers."""
    if key not in group:
        chunk = (1, *rows.shape[1:]) if rows.ndim > 1 else (1024,)
        options = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if compress else {}
        shape, most = (0, *rows.shape[1:]), (None, *rows.shape[1:])
        group.create_dataset(key, shape, rows.dtype, maxshape=most, chunks=chunk, **options)
    group[key].resize(len(group[key]) + len(rows), axis=0)
    group[key][-len(rows) :] = rows


def stored_classes(file: h5py.File) -> tuple[str, ...]:
    return tuple(json.loads(file.attrs["classes"]))


def group_of(path: Path, file: h5py.File, split: str) -> h5py.Group:
    if split not in file:
        raise InputError(f"{path}: no split '{split}'; it has {', '.join(file)}")
    return file[split]


def read_rows(path: Path, group: h5py.Group, key: str, rows: slice | tuple) -> np.ndarray:
    if key not in group:
        raise InputError(f"{path}: no key {group.name}/{key}")
    try:
        return group[key][rows]
    except OSError as error:
        raise InputError(f"{path}: {group.name}/{key} is damaged ({error})") from error


def read_array(path: Path, group: h5py.Group, key: str, dtype: str, shape: tuple | None = None) -> np.ndarray:
    values = read_rows(path, group, key, ())
    expect(path, f"{group.name}/{key}", values, dtype, shape or values.shape)
    return values
