"""data/points/<dataset>/: shards of point clouds with labels and, where the dataset has them, parts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from stages.artifacts.checks import expect
from stages.artifacts.hdf5 import append_rows, new_h5
from stages.artifacts.packing import PARTS
from stages.artifacts.shards import SHARD_SAMPLES, ShardedFile, cut, open_shards
from stages.artifacts.types import Clouds, PointCloudDataset
from stages.artifacts.unfinished import new_folder
from stages.core.errors import InputError


def write_points(path: Path, points: PointCloudDataset, *, shard_samples: int = SHARD_SAMPLES) -> None:
    """Write `points` as a folder of shards, each split's arrays in slices: they need not be in memory as a whole."""
    for name, clouds in points.splits.items():
        expect(path, f"{name}/points", clouds.points, "f4", (None, None, 3))
        expect(path, f"{name}/labels", clouds.labels, "i8", (len(clouds.points),))
        if points.part_names is not None:
            expect(path, f"{name}/parts", clouds.parts, "i8", clouds.points.shape[:2])
    shards = cut({name: len(clouds.points) for name, clouds in points.splits.items()}, shard_samples)
    with new_folder(path, shards) as unfinished:
        for shard in shards:
            with unfinished.new_shard(shard) as file:
                rows = {name: points.splits[name].rows(slice(*rows)) for name, rows in shard.rows.items()}
                _write(file, points, rows)


def _write(path: Path, points: PointCloudDataset, splits: dict[str, Clouds]) -> None:
    parts = {} if points.part_names is None else {"part_names": points.part_names}
    with new_h5(path, classes=points.classes, up_axis=points.up_axis, **parts) as file:
        for name, clouds in splits.items():
            file.create_dataset(f"{name}/points", data=clouds.points, chunks=(1, *clouds.points.shape[1:]))
            file.create_dataset(f"{name}/labels", data=clouds.labels)
            if points.part_names is not None:
                append_rows(file[name], "parts", clouds.parts, level=PARTS)


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
