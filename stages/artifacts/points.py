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
from stages.artifacts.types import PointCloudDataset
from stages.core.errors import InputError


def write_points(path: Path, points: PointCloudDataset) -> None:
    """Write `points` to HDF5."""
    parts = {} if points.part_names is None else {"part_names": points.part_names}
    with new_h5(path, classes=points.classes, up_axis=points.up_axis, **parts) as file:
        for name, clouds in points.splits.items():
            expect(path, f"{name}/points", clouds.points, "f4", (None, None, 3))
            expect(path, f"{name}/labels", clouds.labels, "i8", (len(clouds.points),))
            file.create_dataset(f"{name}/points", data=clouds.points, chunks=(1, *clouds.points.shape[1:]))
            file.create_dataset(f"{name}/labels", data=clouds.labels)
            if points.part_names is not None:
                expect(path, f"{name}/parts", clouds.parts, "i8", clouds.points.shape[:2])
                append_rows(file[name], "parts", clouds.parts, level=PARTS)


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
