"""Reader of the bundled home_objects file, which `build_home_objects` makes."""

import json
from pathlib import Path

import numpy as np

from stages.artifacts.types import Clouds, PointCloudDataset
from stages.config.dataset import Dataset
from stages.core.errors import InputError
from stages.datasets.hdf5 import checked_labels, checked_points, open_raw, read_key


def read(path: Path, entry: Dataset) -> PointCloudDataset:
    """Class names [C] and per split the clouds [N, 2048, 3], stored as 16-bit fixed point."""
    with open_raw(path) as file:
        if "classes" not in file.attrs:
            raise InputError(f"{path}: no attribute classes")
        classes = tuple(json.loads(file.attrs["classes"]))
        splits = {split: _read_split(path, file, split, len(classes)) for split in ("train", "test")}
        return PointCloudDataset(classes, entry.up_axis, splits)


def _read_split(path: Path, file, split: str, classes: int) -> Clouds:
    if split not in file:
        raise InputError(f"{path}: no group {split}")
    stored = read_key(path, file[split], "points", width=3)
    points = stored * np.float32(file[split]["points"].attrs["scale"])
    labels = checked_labels(path, read_key(path, file[split], "labels"), samples=len(points), classes=classes)
    return Clouds(checked_points(path, points, key=f"{split}/points"), labels)
