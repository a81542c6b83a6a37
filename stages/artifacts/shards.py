"""Shards: the samples of a dataset in ranges, an HDF5 file each, in one folder with a manifest of their hashes."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.files import MADE_BY_DVC, read_json, read_text
from stages.artifacts.hdf5 import group_of, open_h5, read_rows
from stages.core.errors import InputError

MANIFEST = "manifest.json"
SHARD_SAMPLES = 4096  # where nobody says how many
Rows = dict[str, tuple[int, int]]  # split -> its first row in a shard, and the one after the last


@dataclass(frozen=True)
class Shard:
    """Some rows of some splits, in the file `name`."""

    name: str
    rows: Rows

    @property
    def samples(self) -> int:
        """How many samples it has."""
        return sum(stop - start for start, stop in self.rows.values())


def numbered(number: int) -> str:
    """The name of shard `number`."""
    return f"{number:05}.h5"


def cut(counts: Mapping[str, int], samples: int) -> tuple[Shard, ...]:
    """Shards of `samples` samples, the last maybe smaller, of splits one after the other; one shard at least."""
    ends = np.cumsum([0, *counts.values()])
    shards = []
    for number, first in enumerate(range(0, max(int(ends[-1]), 1), samples)):
        rows = {}
        for split, begin, end in zip(counts, ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            start, stop = max(first, begin), min(first + samples, end)
            if start < stop:
                rows[split] = (start - begin, stop - begin)
        shards.append(Shard(numbered(number), rows))
    return tuple(shards)


def read_manifest(folder: Path) -> tuple[Shard, ...]:
    """The shards of `folder` in their order; InputError where its manifest is missing or is none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; {MADE_BY_DVC}")
    path = folder / MANIFEST
    document = read_json(path)
    try:
        return tuple(
            Shard(name, {split: (int(start), int(stop)) for split, (start, stop) in entry["rows"].items()})
            for name, entry in sorted(document["shards"].items())
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected shards with their rows; {MADE_BY_DVC}") from error


def content(folder: Path) -> str:
    """What tells the content of a folder of shards: its manifest, which has their hashes."""
    return read_text(folder / MANIFEST)


class ShardedFile:
    """Shards read as one HDF5 file that has a group for every split; a shard is opened when its rows are asked for."""

    def __init__(self, path: Path, shards: tuple[Shard, ...], stack: ExitStack):
        self.path, self._shards, self._stack = path, shards, stack
        self._open: dict[str, h5py.File] = {}
        self.attributes = dict(self._file(shards[0]).attrs)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Samples by split, in the order of their names."""
        found: dict[str, int] = {}
        for shard in self._shards:
            for split, (_, stop) in shard.rows.items():
                found[split] = max(found.get(split, 0), stop)
        return dict(sorted(found.items()))

    def rows(self, split: str, key: str, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """The array `key` of `rows`, a slice or increasing indices, of `split`; InputError names the damaged shard."""
        if split not in self.counts:
            raise InputError(f"{self.path}: no split '{split}'; it has {', '.join(self.counts)}")
        count, pieces = self.counts[split], []
        wanted = np.arange(*rows.indices(count)) if isinstance(rows, slice) else np.arange(count)[rows]
        for shard in self._shards:
            if split not in shard.rows:
                continue
            start, stop = shard.rows[split]
            first, last = np.searchsorted(wanted, (start, stop))
            if first < last or not (pieces or len(wanted)):
                within = _as_slice(wanted[first:last] - start)
                pieces.append(self._read(shard, split, key, within))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _read(self, shard: Shard, split: str, key: str, rows: slice | np.ndarray) -> np.ndarray:
        path = self.path / shard.name
        return read_rows(path, group_of(path, self._file(shard), split), key, rows)

    def _file(self, shard: Shard) -> h5py.File:
        if shard.name not in self._open:
            self._open[shard.name] = self._stack.enter_context(open_h5(self.path / shard.name))
        return self._open[shard.name]


@contextmanager
def open_shards(folder: Path) -> Iterator[ShardedFile]:
    """The shards that the manifest of `folder` lists, as one file."""
    with ExitStack() as stack:
        yield ShardedFile(folder, read_manifest(folder), stack)


def _as_slice(rows: np.ndarray) -> slice | np.ndarray:
    """`rows` as a slice where they follow one another, which reads faster."""
    if not len(rows):
        return slice(0, 0)
    first, last = int(rows[0]), int(rows[-1])
    return slice(first, last + 1) if last - first + 1 == len(rows) else rows
