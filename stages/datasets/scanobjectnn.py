"""Reader of ScanObjectNN's official HDF5 files, one variant at a time."""

from pathlib import Path

from stages.artifacts.types import PointCloudDataset
from stages.config.dataset import Dataset
from stages.core.errors import InputError
from stages.datasets.hdf5 import shards
from stages.datasets.layout import find_folder

CLASSES = (
    *("bag", "bin", "box", "cabinet", "chair", "desk", "display", "door"),
    *("shelf", "table", "bed", "pillow", "sink", "sofa", "toilet"),
)
VARIANTS = {  # of the paper: folder and end of the file names
    "obj_only": ("main_split_nobg", "objectdataset.h5"),
    "obj_bg": ("main_split", "objectdataset.h5"),
    "pb_t50_rs": ("main_split", "objectdataset_augmentedrot_scale75.h5"),
}


def read(path: Path, entry: Dataset) -> PointCloudDataset:
    """`entry.variant` of the 15 classes: `training_...` and `test_...` of its folder, rows in the files' order."""
    if entry.variant not in VARIANTS:
        raise InputError(
            f"{path}: variant '{entry.variant}' of its dataset entry: expected one of {', '.join(VARIANTS)}"
        )
    name, end = VARIANTS[entry.variant]
    folder = find_folder(path, name) / name
    files = {"train": folder / f"training_{end}", "test": folder / f"test_{end}"}
    splits = {split: shards([file], classes=len(CLASSES), source=file) for split, file in files.items()}
    return PointCloudDataset(CLASSES, entry.up_axis, splits)
