"""data/points/<dataset>/: shards of point clouds with labels and, where the dataset has them, parts."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from stages.artifacts.checks import expect
from stages.artifacts.hdf5 import append_rows, new_h5
from stages.artifacts.packing import LABELS, PARTS
from stages.artifacts.shards import SHARD_SAMPLES, Shard, ShardedFile, numbered, open_shards
from stages.artifacts.types import Clouds, PointCloudDataset
from stages.artifacts.unfinished import Unfinished, new_folder
from stages.core.errors import InputError


class PointsWriter:
    """Clouds of every split, appended piece by piece; where a shard is full the next one is added to `shards`.

    `place` is where a stopped run's pieces go on, None at the beginning: that of the piece that filled its last shard.
    """

    def __init__(
        self, unfinished: Unfinished, attributes: dict, shards: list[Shard], shard_samples: int, stack: ExitStack
    ):
        self._unfinished, self._attributes, self._most, self._stack = unfinished, attributes, shard_samples, stack
        done, note = unfinished.noted()
        shards += done
        self._shards = shards
        self.place, self._stored = (note["place"], note["stored"]) if note else (None, 0)
        self._counts = {split: stop for shard in shards for split, (_, stop) in shard.rows.items()}
        self._begin()

    @property
    def samples(self) -> int:
        """How many samples there are so far."""
        return sum(self._counts.values())

    def append(self, split: str, clouds: Clouds, *, place: dict | None = None) -> None:
        """Add clouds to the end of `split`; their arrays are taken in slices and need not be in memory.

        `place` is plain data: a run that goes on after this one was stopped finds it, and begins with the same clouds.
        """
        path = self._unfinished.output
        expect(path, f"{split}/points", clouds.points, "f4", (None, None, 3))
        expect(path, f"{split}/labels", clouds.labels, "i8", (len(clouds.points),))
        if "part_names" in self._attributes:
            expect(path, f"{split}/parts", clouds.parts, "i8", clouds.points.shape[:2])
        first, self._stored = self._stored, 0
        while first < len(clouds.points):
            if self._shards[-1].samples == self._most:
                self._stack.close()
                if place is not None:
                    self._unfinished.note(self._shards, {"place": place, "stored": first})
                self._begin()
            piece = clouds.rows(slice(first, first + self._most - self._shards[-1].samples))
            self._store(split, piece)
            first += len(piece.points)

    def _begin(self) -> None:
        """A new shard, whose rows are noted as they come."""
        self._shards.append(Shard(numbered(len(self._shards)), {}))
        path = self._stack.enter_context(self._unfinished.new_shard(self._shards[-1]))
        self._file = self._stack.enter_context(new_h5(path, **self._attributes))

    def _store(self, split: str, clouds: Clouds) -> None:
        group, first = self._file.require_group(split), self._counts.get(split, 0)
        append_rows(group, "points", clouds.points, level=None)
        append_rows(group, "labels", clouds.labels, level=LABELS)
        if "part_names" in self._attributes:
            append_rows(group, "parts", clouds.parts, level=PARTS)
        self._counts[split] = first + len(clouds.points)
        begun, _ = self._shards[-1].rows.get(split, (first, first))
        self._shards[-1].rows[split] = (begun, self._counts[split])


@contextmanager
def new_points(
    path: Path,
    *,
    classes: tuple[str, ...],
    up_axis: str,
    part_names: tuple[tuple[str, ...], ...] | None = None,
    shard_samples: int = SHARD_SAMPLES,
    fingerprint: str | None = None,
) -> Iterator[PointsWriter]:
    """Write clouds as a folder of shards, piece by piece; nothing is left at `path` when the block fails.

    With a `fingerprint` of all that decides the clouds, full shards are kept beside it for the next run.
    """
    parts = {} if part_names is None else {"part_names": part_names}
    attributes, shards = {"classes": classes, "up_axis": up_axis} | parts, []
    with new_folder(path, shards, fingerprint=fingerprint) as unfinished, ExitStack() as stack:
        yield PointsWriter(unfinished, attributes, shards, shard_samples, stack)


def write_points(path: Path, points: PointCloudDataset, *, shard_samples: int = SHARD_SAMPLES) -> None:
    """Write a dataset as a folder of shards."""
    facts = {"classes": points.classes, "up_axis": points.up_axis, "part_names": points.part_names}
    with new_points(path, **facts, shard_samples=shard_samples) as writer:
        for split, clouds in points.splits.items():
            writer.append(split, clouds)


class PointsReader:
    """Point clouds on disk, read in slices."""

    def __init__(self, file: ShardedFile):
        self._file = file
        self.classes, self.up_axis = tuple(json.loads(file.attributes["classes"])), str(file.attributes["up_axis"])
        self.counts, self.splits = file.counts, tuple(file.counts)
        self.part_names = tuple(map(tuple, json.loads(file.attributes.get("part_names", "[]")))) or None

    def labels(self, split: str, rows: slice = slice(None)) -> np.ndarray:
        """Labels i8 [n] of the given rows of `split`."""
        return self._file.rows(split, "labels", rows)

    def points(self, split: str, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Points f4 [n, P, 3] of the given rows of `split`, a slice or increasing indices."""
        return self._file.rows(split, "points", rows)

    def parts(self, split: str, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Parts i8 [n, P] of the given rows of `split`, each into the part names of the cloud's class."""
        return self._file.rows(split, "parts", rows)

    def require_parts(self) -> tuple[tuple[str, ...], ...]:
        """Part names [C][K]; InputError where the dataset has no part labels."""
        if self.part_names is None:
            expected = "expected a dataset with part labels (params.yaml: select.segmentation)"
            raise InputError(f"{self._file.path}: no parts, {expected}")
        return self.part_names


@contextmanager
def open_points(path: Path) -> Iterator[PointsReader]:
    """Open what `write_points` wrote, to read it piece by piece."""
    with open_shards(path) as file:
        yield PointsReader(file)
