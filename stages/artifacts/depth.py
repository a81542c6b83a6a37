"""data/depth/<dataset>/: shards with the depth maps of every cloud in every view."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.checks import expect
from stages.artifacts.hdf5 import append_rows, new_h5
from stages.artifacts.packing import DEPTH_MAPS, LABELS, Packed, pack
from stages.artifacts.shards import ShardedFile, open_shards
from stages.core.threads import map_in_threads, worked_ahead


def to_bytes(depth: np.ndarray, *, threads: int | None = None) -> np.ndarray:
    """Depth maps [n, ...] in 0..1 as u1, in steps of 1/255."""
    stored = np.empty(depth.shape, np.uint8)

    def round_sample(n: int) -> None:
        stored[n] = np.rint(depth[n] * np.float32(255))

    map_in_threads(round_sample, len(depth), threads=threads)
    return stored


def from_bytes(stored: np.ndarray) -> np.ndarray:
    """Depth maps f4 [n, ...] in 0..1 of what `to_bytes` made of them."""
    depth = np.empty(stored.shape, np.float32)
    map_in_threads(lambda n: np.divide(stored[n], np.float32(255), out=depth[n]), len(depth))
    return depth


class DepthWriter:
    """Appends depth maps chunk by chunk, stored as whole bytes (u1: 1/255 steps) or half floats (f2)."""

    def __init__(self, path: Path, file: h5py.File, dtype: str):
        self._path, self._file, self._dtype = path, file, dtype
        self._labels: defaultdict[str, list[np.ndarray]] = defaultdict(list)

    def packed(self, depth: np.ndarray, *, threads: int | None = None) -> Packed:
        """Depth maps [n, V, R, R], f4 in 0..1 or already u1 where they are stored so, as `append` takes them.

        Several threads may pack some each; `threads` is how many pack these, every core when None.
        """
        expect(self._path, "depth", depth, "u1" if depth.dtype == self._dtype == "u1" else "f4", (None,) * 4)
        if depth.dtype != self._dtype:
            depth = to_bytes(depth, threads=threads) if self._dtype == "u1" else depth.astype(self._dtype)
        return pack(depth, level=DEPTH_MAPS, threads=threads)

    def append(self, split: str, depth: Packed, labels: np.ndarray) -> None:
        """Add packed depth maps of n samples and labels i8 [n] to `split`."""
        expect(self._path, f"{split}/labels", labels, "i8", depth.shape[:1])
        append_rows(self._file.require_group(split), "depth", depth, level=DEPTH_MAPS)
        self._labels[split].append(labels)

    def finish(self) -> None:
        """Write the labels, those of a split at once."""
        for split, labels in self._labels.items():
            append_rows(self._file[split], "labels", np.concatenate(labels), level=LABELS)


@contextmanager
def new_depth(
    path: Path, *, classes: Sequence[str], views: Sequence[str], polarity: str, dtype: str
) -> Iterator[DepthWriter]:
    """Open a shard of depth maps for appending; it appears at `path` only when the block ends without an error."""
    with new_h5(path, classes=classes, views=list(views), polarity=polarity) as file:
        writer = DepthWriter(path, file, dtype)
        yield writer
        writer.finish()


class DepthReader:
    """Depth maps on disk, read in slices."""

    def __init__(self, file: ShardedFile):
        self._file = file
        self.classes = tuple(json.loads(file.attributes["classes"]))
        self.views = tuple(json.loads(file.attributes["views"]))
        self.polarity = file.attributes["polarity"]
        self.counts, self.splits = file.counts, tuple(file.counts)

    def labels(self, split: str, rows: slice = slice(None)) -> np.ndarray:
        """Labels i8 [n] of the given rows of `split`."""
        return self._file.rows(split, "labels", rows)

    def depth(self, split: str, rows: slice = slice(None)) -> np.ndarray:
        """Depth maps f4 [n, V, R, R] in 0..1 of the given rows of `split`."""
        stored = self._file.rows(split, "depth", rows)
        return from_bytes(stored) if stored.dtype == np.uint8 else stored.astype("f4")

    def chunks(self, split: str, rows: slice, samples: int) -> Iterator[np.ndarray]:
        """The depth maps of `rows`, `samples` at a time; the next ones are read while the caller works."""
        starts = range(rows.start, rows.stop, samples)
        pieces = (slice(start, min(start + samples, rows.stop)) for start in starts)
        return worked_ahead(lambda piece: self.depth(split, piece), pieces, threads=1)


@contextmanager
def open_depth(path: Path) -> Iterator[DepthReader]:
    """Open the shards that `new_depth` wrote."""
    with open_shards(path) as file:
        yield DepthReader(file)
