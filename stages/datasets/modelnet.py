"""Readers of ModelNet's three official layouts: HDF5 shards, OFF meshes, and text files resampled with normals."""

from pathlib import Path

from stages.artifacts.types import PointCloudDataset
from stages.config.dataset import Dataset
from stages.core.errors import InputError
from stages.datasets.hdf5 import shards
from stages.datasets.layout import class_index, files_below, find_folder, read_names, subfolders
from stages.datasets.objects import object_files

SPLITS = ("train", "test")


def read_hdf5(path: Path, entry: Dataset) -> PointCloudDataset:
    """Shards with `data` f4 [N, P, 3] and `label` u1 [N, 1], in the order of the list file and of their rows.

    `train_files.txt` and `test_files.txt` hold one shard a line, by the path it had at its makers'; only the name is
    used. `shape_names.txt` has the class names.
    """
    folder = find_folder(path, "shape_names.txt")
    classes = read_names(folder / "shape_names.txt")
    splits = {}
    for split in SPLITS:
        listing = folder / f"{split}_files.txt"
        files = [folder / Path(line).name for line in read_names(listing)]
        splits[split] = shards(files, classes=len(classes), source=listing)
    return PointCloudDataset(classes, entry.up_axis, splits)


def read_off(path: Path, entry: Dataset) -> PointCloudDataset:
    """Meshes `<class>/<train or test>/<name>.off`, by class and name, each sampled by area with `entry.points`."""
    folders = _class_folders(path)
    classes = tuple(folder.name for folder in folders)
    splits = {}
    for split in SPLITS:
        by_class = [files_below(folder / split, ".off") if (folder / split).is_dir() else [] for folder in folders]
        labels = [label for label, files in enumerate(by_class) for _ in files]
        splits[split] = object_files([file for files in by_class for file in files], labels, entry, source=path)
    return PointCloudDataset(classes, entry.up_axis, splits)


def read_text(path: Path, entry: Dataset) -> PointCloudDataset:
    """`<class>/<name>.txt` of x, y, z and normals, in the order of `<variant>_train.txt` and `<variant>_test.txt`.

    `variant` is modelnet40, also when null, or modelnet10: both share a folder, and each has its list of class names.
    """
    variant = entry.variant or "modelnet40"
    folder = find_folder(path, f"{variant}_shape_names.txt")
    classes = read_names(folder / f"{variant}_shape_names.txt")
    splits = {}
    for split in SPLITS:
        listing = folder / f"{variant}_{split}.txt"
        names = [(name.rpartition("_")[0], name) for name in read_names(listing)]
        labels = [class_index(class_name, classes, source=str(listing)) for class_name, _ in names]
        files = [folder / class_name / f"{name}.txt" for class_name, name in names]
        splits[split] = object_files(files, labels, entry, source=listing)
    return PointCloudDataset(classes, entry.up_axis, splits)


def _class_folders(path: Path) -> list[Path]:
    """The folders of the classes: those in `path`, or in the one folder that an archive put between."""
    if not path.is_dir():
        raise InputError(f"{path}: not a folder, expected <class>/<train or test>/<name>.off below it")
    folders = subfolders(path)
    if len(folders) == 1 and not any((folders[0] / split).is_dir() for split in SPLITS):
        folders = subfolders(folders[0])
    if not folders:
        raise InputError(f"{path}: no folder of a class, expected <class>/<train or test>/<name>.off")
    return folders
