"""data/points/<dataset>.h5: point clouds with labels and, where the dataset has them, parts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.checks import expect
from stages.artifacts.hdf5 import append_rows, group_of, new_h5, open_h5, read_array, read_rows, stored_classes
from stages.artifacts.packing import PARTS
from stages.artifacts.types import Clouds, PointCloudDataset
from stages.core.errors import InputError


class PointsWriter:
    """Clouds of every split, appended piece by piece."""

    def __init__(self, path: Path, file: h5py.File, *, with_parts: bool):
        self._path, self._file, self._with_parts = path, file, with_parts

    def append(self, split: str, clouds: Clouds) -> None:
        """Add clouds to the end of `split`."""
        group = self._file.require_group(split)
        expect(self._path, f"{split}/points", clouds.points, "f4", (None, None, 3))
        expect(self._path, f"{split}/labels", clouds.labels, "i8", (len(clouds.points),))
        append_rows(group, "points", clouds.points, level=None)
        append_rows(group, "labels", clouds.labels, level=None)
        if self._with_parts:
            expect(self._path, f"{split}/parts", clouds.parts, "i8", clouds.points.shape[:2])
            append_rows(group, "parts", clouds.parts, level=PARTS)


@contextmanager
def new_points(
    path: Path, *, classes: tuple[str, ...], up_axis: str, part_names: tuple[tuple[str, ...], ...] | None = None
) -> Iterator[PointsWriter]:
    """Write clouds to HDF5 piece by piece; nothing is left at `path` when the block fails."""
    parts = {} if part_names is None else {"part_names": part_names}
    with new_h5(path, classes=classes, up_axis=up_axis, **parts) as file:
        yield PointsWriter(path, file, with_parts=part_names is not None)


def write_points(path: Path, points: PointCloudDataset) -> None:
    """Write a dataset that is in memory to HDF5."""
    with new_points(path, classes=points.classes, up_axis=points.up_axis, part_names=points.part_names) as writer:
        for split, clouds in points.splits.items():
            writer.append(split, clouds)


class PointsReader:
    """Point clouds on disk, read in slices."""

    def __init__(self, path: Path, file: h5py.File):
        self._path, self._file = path, file
        self.classes, self.up_axis, self.splits = stored_classes(file), str(file.attrs["up_axis"]), tuple(file)
        self.part_names = tuple(map(tuple, json.loads(file.attrs.get("part_names", "[]")))) or None

    def labels(self, split: str) -> np.ndarray:
        """Labels i8 [N] of `split`."""
        return read_array(self._path, group_of(self._path, self._file, split), "labels", "i8")

    def points(self, split: str, rows: slice = slice(None)) -> np.ndarray:
        """Points f4 [n, P, 3] of the given rows of `split`."""
        return read_rows(self._path, group_of(self._path, self._file, split), "points", rows)

    def parts(self, split: str, rows: slice = slice(None)) -> np.ndarray:
        """Parts i8 [n, P] of the given rows of `split`, each into the part names of the cloud's class."""
        return read_rows(self._path, group_of(self._path, self._file, split), "parts", rows)

    def require_parts(self) -> tuple[tuple[str, ...], ...]:
        """Part names [C][K]; InputError where the dataset has no part labels."""
        if self.part_names is None:
            expected = "expected a dataset with part labels (params.yaml: select.segmentation)"
            raise InputError(f"{self._path}: no parts, {expected}")
        return self.part_names


@contextmanager
def open_points(path: Path) -> Iterator[PointsReader]:
    """Open what `write_points` wrote, to read it piece by piece."""
    with open_h5(path) as file:
        yield PointsReader(path, file)
