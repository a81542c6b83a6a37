"""data/depth/<dataset>.h5: depth maps of every cloud in every view."""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.checks import expect
from stages.artifacts.hdf5 import append_rows, group_of, new_h5, open_h5, read_array, read_rows, stored_classes
from stages.artifacts.packing import DEPTH_MAPS, LABELS
from stages.core.threads import map_in_threads


def to_bytes(depth: np.ndarray) -> np.ndarray:
    """Depth maps [n, ...] in 0..1 as u1, in steps of 1/255."""
    stored = np.empty(depth.shape, np.uint8)

    def round_sample(n: int) -> None:
        stored[n] = np.rint(depth[n] * np.float32(255))

    map_in_threads(round_sample, len(depth))
    return stored


def from_bytes(stored: np.ndarray) -> np.ndarray:
    """Depth maps f4 [n, ...] in 0..1 of what `to_bytes` made of them."""
    depth = np.empty(stored.shape, np.float32)
    map_in_threads(lambda n: np.divide(stored[n], np.float32(255), out=depth[n]), len(depth))
    return depth


def _as_stored(depth: np.ndarray, dtype: str) -> np.ndarray:
    if depth.dtype == dtype:
        return depth
    return to_bytes(depth) if dtype == "u1" else depth.astype(dtype)


class DepthWriter:
    """Appends depth maps chunk by chunk, stored as whole bytes (u1: 1/255 steps) or half floats (f2).

    A chunk is stored in the background while the caller works out the next one.
    """

    def __init__(self, path: Path, file: h5py.File, dtype: str, background: ThreadPoolExecutor):
        self._path, self._file, self._dtype, self._background = path, file, dtype, background
        self._last: Future | None = None

    def append(self, split: str, depth: np.ndarray, labels: np.ndarray) -> None:
        """Add depth [n, V, R, R] and labels i8 [n] to `split`, once the chunk before is stored.

        The maps are f4 in 0..1, or already u1 where they are stored so.
        """
        dtype = "u1" if depth.dtype == self._dtype == "u1" else "f4"
        expect(self._path, f"{split}/depth", depth, dtype, (None, None, None, None))
        expect(self._path, f"{split}/labels", labels, "i8", (len(depth),))
        self.finish()
        self._last = self._background.submit(self._store, split, depth, labels)

    def finish(self) -> None:
        """Wait until all is stored; an error in the background is raised here."""
        if self._last is not None:
            self._last.result()

    def _store(self, split: str, depth: np.ndarray, labels: np.ndarray) -> None:
        stored = _as_stored(depth, self._dtype)
        group = self._file.require_group(split)
        append_rows(group, "depth", stored, level=DEPTH_MAPS)
        append_rows(group, "labels", labels, level=LABELS)


@contextmanager
def new_depth(
    path: Path, *, classes: Sequence[str], views: Sequence[str], polarity: str, dtype: str
) -> Iterator[DepthWriter]:
    """Open a depth map file for appending; it appears at `path` only when the block ends without an error."""
    with (
        new_h5(path, classes=classes, views=list(views), polarity=polarity) as file,
        ThreadPoolExecutor(1) as background,
    ):
        writer = DepthWriter(path, file, dtype, background)
        yield writer
        writer.finish()


class DepthReader:
    """Depth maps on disk, read in slices."""

    def __init__(self, path: Path, file: h5py.File):
        self._path, self._file = path, file
        self.classes = stored_classes(file)
        self.views = tuple(json.loads(file.attrs["views"]))
        self.polarity = file.attrs["polarity"]
        self.splits = tuple(file)

    def labels(self, split: str) -> np.ndarray:
        """Labels i8 [N] of `split`."""
        return read_array(self._path, group_of(self._path, self._file, split), "labels", "i8")

    def depth(self, split: str, rows: slice = slice(None)) -> np.ndarray:
        """Depth maps f4 [n, V, R, R] in 0..1 of the given rows of `split`."""
        stored = read_rows(self._path, group_of(self._path, self._file, split), "depth", rows)
        return from_bytes(stored) if stored.dtype == np.uint8 else stored.astype("f4")

    def chunks(self, split: str, samples: int, *, ahead: int = 2) -> Iterator[np.ndarray]:
        """All depth maps of `split`, `samples` at a time; the next `ahead` are read while the caller works."""
        waiting: deque[Future] = deque()
        with ThreadPoolExecutor(1) as reader:
            for start in range(0, len(self.labels(split)), samples):
                waiting.append(reader.submit(self.depth, split, slice(start, start + samples)))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


@contextmanager
def open_depth(path: Path) -> Iterator[DepthReader]:
    """Open what `new_depth` wrote."""
    with open_h5(path) as file:
        yield DepthReader(path, file)
