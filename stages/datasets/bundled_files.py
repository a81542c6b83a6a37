"""Readers of the bundled HDF5 files, with coordinates in fixed point: clouds, or scans with boxes."""

import json
from pathlib import Path

import h5py
import numpy as np

from stages.artifacts.types import Clouds, PointCloudDataset, Scene, Scenes
from stages.config.dataset import Dataset
from stages.core.errors import InputError
from stages.datasets.hdf5 import checked_labels, checked_points, open_raw, read_key

SPLITS = ("train", "val", "test")


def read_clouds(path: Path, entry: Dataset) -> PointCloudDataset:
    """Clouds of a group a split: `points` [N, P, 3] and `labels` [N], and `parts` [N, P] if there are part names."""
    with open_raw(path) as file:
        classes = _json(path, file, "classes")
        part_names = tuple(map(tuple, _json(path, file, "part_names"))) if "part_names" in file.attrs else None
        splits = {split: _clouds(path, file[split], classes, part_names) for split in _splits(path, file)}
        return PointCloudDataset(classes, entry.up_axis, splits, part_names)


def read_scans(path: Path, entry: Dataset) -> Scenes:
    """Scans of a group a split and one a scan: `points` [M, 3], `boxes` [K, 6], `labels` [K]."""
    with open_raw(path) as file:
        classes = _json(path, file, "classes")
        # by name: h5py holds its lock while it gives out items, and for ever where an error stops it there
        splits = {
            split: tuple(_scan(path, file[split][name], name, len(classes)) for name in file[split])
            for split in _splits(path, file)
        }
        return Scenes(classes, entry.up_axis, splits)


def _clouds(path: Path, group: h5py.Group, classes: tuple[str, ...], part_names) -> Clouds:
    points = checked_points(path, _coordinates(path, group, width=3), key=f"{group.name}/points")
    labels = checked_labels(path, read_key(path, group, "labels"), samples=len(points), classes=len(classes))
    if part_names is None:
        return Clouds(points, labels)
    parts = read_key(path, group, "parts").astype(np.int64)
    counts = np.array([len(names) for names in part_names])
    if parts.shape != points.shape[:2] or (parts < 0).any() or (parts >= counts[labels][:, None]).any():
        raise InputError(f"{path}: {group.name}/parts: expected {list(points.shape[:2])} indices of the part names")
    return Clouds(points, labels, parts)


def _scan(path: Path, group: h5py.Group, name: str, classes: int) -> Scene:
    points, boxes = _coordinates(path, group), read_key(path, group, "boxes").astype(np.float32)
    if points.ndim != 2 or points.shape[1] != 3 or boxes.ndim != 2 or boxes.shape[1] != 6:
        shapes = f"points {list(points.shape)}, boxes {list(boxes.shape)}"
        raise InputError(f"{path}: {group.name} has {shapes}, expected [M, 3] and [K, 6]")
    labels = checked_labels(path, read_key(path, group, "labels"), samples=len(boxes), classes=classes)
    return Scene(name, points, boxes, labels)


def _coordinates(path: Path, group: h5py.Group, *, width: int | None = None) -> np.ndarray:
    stored = read_key(path, group, "points", width=width)
    if "scale" not in group["points"].attrs:
        raise InputError(f"{path}: {group.name}/points has no attribute scale")
    return (stored * np.float32(group["points"].attrs["scale"])).astype(np.float32)


def _splits(path: Path, file: h5py.File) -> list[str]:
    for split in ("train", "test"):
        if not isinstance(file.get(split), h5py.Group):
            raise InputError(f"{path}: no group {split}")
    return [split for split in SPLITS if split in file]


def _json(path: Path, file: h5py.File, key: str) -> tuple:
    try:
        return tuple(json.loads(file.attrs[key]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected the attribute {key}, a JSON list of names") from error
